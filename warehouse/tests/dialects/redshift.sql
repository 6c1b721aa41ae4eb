-- schema
CREATE SCHEMA IF NOT EXISTS "coupa";
CREATE TABLE IF NOT EXISTS "coupa"."_spendlake_loads" ("connection" VARCHAR(65535), "table_name" VARCHAR(65535), "lake_table" VARCHAR(65535), "version" BIGINT, "run_id" VARCHAR(65535), "rows" BIGINT, "loaded_at" TIMESTAMPTZ);

-- table
CREATE TABLE "coupa"."invoice_lines" ("connection_id" VARCHAR(65535) NOT NULL, "invoice_id" VARCHAR(65535) NOT NULL, "ordinal" INTEGER NOT NULL, "amount" DECIMAL(38, 9), "rate" DECIMAL(16, 10), "day" DATE, "updated_at" TIMESTAMPTZ, "is_deleted" BOOLEAN, "_content_hash" VARBYTE(65535), "allocations" SUPER, PRIMARY KEY ("connection_id", "invoice_id", "ordinal"));
COMMENT ON TABLE "coupa"."invoice_lines" IS 'Lines of invoices; it\'s one row a line.';
COMMENT ON COLUMN "coupa"."invoice_lines"."connection_id" IS 'The "instance".';
COMMENT ON COLUMN "coupa"."invoice_lines"."invoice_id" IS 'Joins unified.invoices.';
COMMENT ON COLUMN "coupa"."invoice_lines"."ordinal" IS 'From 1.';
COMMENT ON COLUMN "coupa"."invoice_lines"."amount" IS 'A back\\slash.';

-- staging
CREATE TABLE "coupa"."_spendlake_stage_1" ("connection_id" VARCHAR(65535), "invoice_id" VARCHAR(65535), "ordinal" INTEGER, "amount" DECIMAL(38, 9), "rate" DECIMAL(16, 10), "day" DATE, "updated_at" TIMESTAMPTZ, "is_deleted" BOOLEAN, "_content_hash" VARBYTE(65535), "allocations" VARCHAR(65535));
CREATE TABLE "coupa"."_spendlake_gone_1" ("connection_id" VARCHAR(65535), "invoice_id" VARCHAR(65535));

-- whole
DELETE FROM "coupa"."invoice_lines" WHERE "connection_id" = 'o\'neill';
INSERT INTO "coupa"."invoice_lines" ("connection_id", "invoice_id", "ordinal", "amount", "rate", "day", "updated_at", "is_deleted", "_content_hash", "allocations") SELECT s."connection_id", s."invoice_id", s."ordinal", s."amount", s."rate", s."day", s."updated_at", s."is_deleted", s."_content_hash", JSON_PARSE(s."allocations") FROM "coupa"."_spendlake_stage_1" AS s;
DELETE FROM "coupa"."_spendlake_loads" WHERE "connection" = 'o\'neill' AND "table_name" = 'invoice_lines';
INSERT INTO "coupa"."_spendlake_loads" ("connection", "table_name", "lake_table", "version", "run_id", "rows", "loaded_at") VALUES ('o\'neill', 'invoice_lines', '5f0c', 8, 'run 8', 3, GETDATE());

-- changed
DELETE FROM "coupa"."invoice_lines" WHERE EXISTS (SELECT 1 FROM (SELECT "connection_id", "invoice_id" FROM "coupa"."_spendlake_stage_1" UNION SELECT "connection_id", "invoice_id" FROM "coupa"."_spendlake_gone_1") AS g WHERE g."connection_id" = "invoice_lines"."connection_id" AND g."invoice_id" = "invoice_lines"."invoice_id");
INSERT INTO "coupa"."invoice_lines" ("connection_id", "invoice_id", "ordinal", "amount", "rate", "day", "updated_at", "is_deleted", "_content_hash", "allocations") SELECT s."connection_id", s."invoice_id", s."ordinal", s."amount", s."rate", s."day", s."updated_at", s."is_deleted", s."_content_hash", JSON_PARSE(s."allocations") FROM "coupa"."_spendlake_stage_1" AS s;
DELETE FROM "coupa"."_spendlake_loads" WHERE "connection" = 'o\'neill' AND "table_name" = 'invoice_lines';
INSERT INTO "coupa"."_spendlake_loads" ("connection", "table_name", "lake_table", "version", "run_id", "rows", "loaded_at") VALUES ('o\'neill', 'invoice_lines', '5f0c', 8, 'run 8', 3, GETDATE());

-- after
DROP TABLE IF EXISTS "coupa"."_spendlake_stage_1";
DROP TABLE IF EXISTS "coupa"."_spendlake_gone_1";

-- ledger
SELECT "lake_table", "version", "run_id", "rows" FROM "coupa"."_spendlake_loads" WHERE "connection" = 'o\'neill' AND "table_name" = 'invoice_lines';

-- columns
SELECT column_name, data_type, CAST(numeric_precision AS BIGINT), CAST(numeric_scale AS BIGINT), is_nullable FROM information_schema.columns WHERE table_schema = 'coupa' AND table_name = 'invoice_lines' ORDER BY ordinal_position;

-- lock
LOCK TABLE "coupa"."_spendlake_loads";
