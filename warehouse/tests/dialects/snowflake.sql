-- schema
CREATE SCHEMA IF NOT EXISTS "coupa";
CREATE TABLE IF NOT EXISTS "coupa"."_spendlake_loads" ("connection" VARCHAR, "table_name" VARCHAR, "lake_table" VARCHAR, "version" NUMBER(19, 0), "run_id" VARCHAR, "rows" NUMBER(19, 0), "loaded_at" TIMESTAMP_LTZ(6));

-- table
CREATE TABLE "coupa"."invoice_lines" ("connection_id" VARCHAR NOT NULL, "invoice_id" VARCHAR NOT NULL, "ordinal" NUMBER(10, 0) NOT NULL, "amount" NUMBER(38, 9), "rate" NUMBER(16, 10), "day" DATE, "updated_at" TIMESTAMP_LTZ(6), "is_deleted" BOOLEAN, "_content_hash" BINARY, "allocations" VARIANT, PRIMARY KEY ("connection_id", "invoice_id", "ordinal"));
COMMENT ON TABLE "coupa"."invoice_lines" IS 'Lines of invoices; it''s one row a line.';
COMMENT ON COLUMN "coupa"."invoice_lines"."connection_id" IS 'The "instance".';
COMMENT ON COLUMN "coupa"."invoice_lines"."invoice_id" IS 'Joins unified.invoices.';
COMMENT ON COLUMN "coupa"."invoice_lines"."ordinal" IS 'From 1.';
COMMENT ON COLUMN "coupa"."invoice_lines"."amount" IS 'A back\slash.';

-- staging
CREATE TEMPORARY TABLE "coupa"."_spendlake_stage_1" ("connection_id" VARCHAR, "invoice_id" VARCHAR, "ordinal" NUMBER(10, 0), "amount" NUMBER(38, 9), "rate" NUMBER(16, 10), "day" DATE, "updated_at" TIMESTAMP_LTZ(6), "is_deleted" BOOLEAN, "_content_hash" BINARY, "allocations" VARCHAR);
CREATE TEMPORARY TABLE "coupa"."_spendlake_gone_1" ("connection_id" VARCHAR, "invoice_id" VARCHAR);

-- whole
DELETE FROM "coupa"."invoice_lines" WHERE "connection_id" = 'o''neill';
INSERT INTO "coupa"."invoice_lines" ("connection_id", "invoice_id", "ordinal", "amount", "rate", "day", "updated_at", "is_deleted", "_content_hash", "allocations") SELECT s."connection_id", s."invoice_id", s."ordinal", s."amount", s."rate", s."day", s."updated_at", s."is_deleted", s."_content_hash", PARSE_JSON(s."allocations") FROM "coupa"."_spendlake_stage_1" AS s;
DELETE FROM "coupa"."_spendlake_loads" WHERE "connection" = 'o''neill' AND "table_name" = 'invoice_lines';
INSERT INTO "coupa"."_spendlake_loads" ("connection", "table_name", "lake_table", "version", "run_id", "rows", "loaded_at") VALUES ('o''neill', 'invoice_lines', '5f0c', 8, 'run 8', 3, CURRENT_TIMESTAMP);

-- changed
DELETE FROM "coupa"."invoice_lines" WHERE EXISTS (SELECT 1 FROM (SELECT "connection_id", "invoice_id" FROM "coupa"."_spendlake_stage_1" UNION SELECT "connection_id", "invoice_id" FROM "coupa"."_spendlake_gone_1") AS g WHERE g."connection_id" = "invoice_lines"."connection_id" AND g."invoice_id" = "invoice_lines"."invoice_id");
INSERT INTO "coupa"."invoice_lines" ("connection_id", "invoice_id", "ordinal", "amount", "rate", "day", "updated_at", "is_deleted", "_content_hash", "allocations") SELECT s."connection_id", s."invoice_id", s."ordinal", s."amount", s."rate", s."day", s."updated_at", s."is_deleted", s."_content_hash", PARSE_JSON(s."allocations") FROM "coupa"."_spendlake_stage_1" AS s;
DELETE FROM "coupa"."_spendlake_loads" WHERE "connection" = 'o''neill' AND "table_name" = 'invoice_lines';
INSERT INTO "coupa"."_spendlake_loads" ("connection", "table_name", "lake_table", "version", "run_id", "rows", "loaded_at") VALUES ('o''neill', 'invoice_lines', '5f0c', 8, 'run 8', 3, CURRENT_TIMESTAMP);

-- after
DROP TABLE IF EXISTS "coupa"."_spendlake_stage_1";
DROP TABLE IF EXISTS "coupa"."_spendlake_gone_1";

-- ledger
SELECT "lake_table", "version", "run_id", "rows" FROM "coupa"."_spendlake_loads" WHERE "connection" = 'o''neill' AND "table_name" = 'invoice_lines';

-- columns
SELECT column_name, data_type, CAST(numeric_precision AS BIGINT), CAST(numeric_scale AS BIGINT), is_nullable FROM information_schema.columns WHERE table_schema = 'coupa' AND table_name = 'invoice_lines' ORDER BY ordinal_position;
