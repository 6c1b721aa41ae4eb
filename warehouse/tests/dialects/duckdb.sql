-- schema
CREATE SCHEMA IF NOT EXISTS "coupa";
CREATE TABLE IF NOT EXISTS "coupa"."_spendlake_loads" ("connection" VARCHAR, "table_name" VARCHAR, "lake_table" VARCHAR, "version" BIGINT, "run_id" VARCHAR, "rows" BIGINT, "loaded_at" TIMESTAMPTZ);

-- table
CREATE TABLE "coupa"."invoice_lines" ("connection_id" VARCHAR NOT NULL, "invoice_id" VARCHAR NOT NULL, "ordinal" INTEGER NOT NULL, "amount" DECIMAL(38, 9), "rate" DECIMAL(16, 10), "day" DATE, "updated_at" TIMESTAMPTZ, "is_deleted" BOOLEAN, "_content_hash" BLOB, "allocations" JSON, PRIMARY KEY ("connection_id", "invoice_id", "ordinal"));
COMMENT ON TABLE "coupa"."invoice_lines" IS 'Lines of invoices; it''s one row a line.';
COMMENT ON COLUMN "coupa"."invoice_lines"."connection_id" IS 'The "instance".';
COMMENT ON COLUMN "coupa"."invoice_lines"."invoice_id" IS 'Joins unified.invoices.';
COMMENT ON COLUMN "coupa"."invoice_lines"."ordinal" IS 'From 1.';
COMMENT ON COLUMN "coupa"."invoice_lines"."amount" IS 'A back\slash.';

-- staging
CREATE TABLE "coupa"."_spendlake_stage_1" ("connection_id" VARCHAR, "invoice_id" VARCHAR, "ordinal" INTEGER, "amount" DECIMAL(38, 9), "rate" DECIMAL(16, 10), "day" DATE, "updated_at" TIMESTAMPTZ, "is_deleted" BOOLEAN, "_content_hash" BLOB, "allocations" VARCHAR);
CREATE TABLE "coupa"."_spendlake_gone_1" ("connection_id" VARCHAR, "invoice_id" VARCHAR);

-- whole
DELETE FROM "coupa"."invoice_lines" WHERE "connection_id" = 'o''neill' AND NOT EXISTS (SELECT 1 FROM "coupa"."_spendlake_stage_1" AS s WHERE s."connection_id" = "invoice_lines"."connection_id" AND s."invoice_id" = "invoice_lines"."invoice_id" AND s."ordinal" = "invoice_lines"."ordinal");
INSERT INTO "coupa"."invoice_lines" ("connection_id", "invoice_id", "ordinal", "amount", "rate", "day", "updated_at", "is_deleted", "_content_hash", "allocations") SELECT s."connection_id", s."invoice_id", s."ordinal", s."amount", s."rate", s."day", s."updated_at", s."is_deleted", s."_content_hash", CAST(s."allocations" AS JSON) FROM "coupa"."_spendlake_stage_1" AS s ON CONFLICT ("connection_id", "invoice_id", "ordinal") DO UPDATE SET "amount" = excluded."amount", "rate" = excluded."rate", "day" = excluded."day", "updated_at" = excluded."updated_at", "is_deleted" = excluded."is_deleted", "_content_hash" = excluded."_content_hash", "allocations" = excluded."allocations";
DELETE FROM "coupa"."_spendlake_loads" WHERE "connection" = 'o''neill' AND "table_name" = 'invoice_lines';
INSERT INTO "coupa"."_spendlake_loads" ("connection", "table_name", "lake_table", "version", "run_id", "rows", "loaded_at") VALUES ('o''neill', 'invoice_lines', '5f0c', 8, 'run 8', 3, CURRENT_TIMESTAMP);

-- changed
DELETE FROM "coupa"."invoice_lines" WHERE EXISTS (SELECT 1 FROM (SELECT "connection_id", "invoice_id" FROM "coupa"."_spendlake_stage_1" UNION SELECT "connection_id", "invoice_id" FROM "coupa"."_spendlake_gone_1") AS g WHERE g."connection_id" = "invoice_lines"."connection_id" AND g."invoice_id" = "invoice_lines"."invoice_id") AND NOT EXISTS (SELECT 1 FROM "coupa"."_spendlake_stage_1" AS s WHERE s."connection_id" = "invoice_lines"."connection_id" AND s."invoice_id" = "invoice_lines"."invoice_id" AND s."ordinal" = "invoice_lines"."ordinal");
INSERT INTO "coupa"."invoice_lines" ("connection_id", "invoice_id", "ordinal", "amount", "rate", "day", "updated_at", "is_deleted", "_content_hash", "allocations") SELECT s."connection_id", s."invoice_id", s."ordinal", s."amount", s."rate", s."day", s."updated_at", s."is_deleted", s."_content_hash", CAST(s."allocations" AS JSON) FROM "coupa"."_spendlake_stage_1" AS s ON CONFLICT ("connection_id", "invoice_id", "ordinal") DO UPDATE SET "amount" = excluded."amount", "rate" = excluded."rate", "day" = excluded."day", "updated_at" = excluded."updated_at", "is_deleted" = excluded."is_deleted", "_content_hash" = excluded."_content_hash", "allocations" = excluded."allocations";
DELETE FROM "coupa"."_spendlake_loads" WHERE "connection" = 'o''neill' AND "table_name" = 'invoice_lines';
INSERT INTO "coupa"."_spendlake_loads" ("connection", "table_name", "lake_table", "version", "run_id", "rows", "loaded_at") VALUES ('o''neill', 'invoice_lines', '5f0c', 8, 'run 8', 3, CURRENT_TIMESTAMP);

-- after
DROP TABLE IF EXISTS "coupa"."_spendlake_stage_1";
DROP TABLE IF EXISTS "coupa"."_spendlake_gone_1";

-- ledger
SELECT "lake_table", "version", "run_id", "rows" FROM "coupa"."_spendlake_loads" WHERE "connection" = 'o''neill' AND "table_name" = 'invoice_lines';

-- columns
SELECT column_name, data_type, CAST(numeric_precision AS BIGINT), CAST(numeric_scale AS BIGINT), is_nullable FROM information_schema.columns WHERE table_schema = 'coupa' AND table_name = 'invoice_lines' ORDER BY ordinal_position;
