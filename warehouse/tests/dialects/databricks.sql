-- schema
CREATE SCHEMA IF NOT EXISTS `coupa`;
CREATE TABLE IF NOT EXISTS `coupa`.`_spendlake_loads` (`connection` STRING, `table_name` STRING, `lake_table` STRING, `version` BIGINT, `run_id` STRING, `rows` BIGINT, `loaded_at` TIMESTAMP);

-- table
CREATE TABLE `coupa`.`invoice_lines` (`connection_id` STRING NOT NULL, `invoice_id` STRING NOT NULL, `ordinal` INT NOT NULL, `amount` DECIMAL(38, 9), `rate` DECIMAL(16, 10), `day` DATE, `updated_at` TIMESTAMP, `is_deleted` BOOLEAN, `_content_hash` BINARY, `allocations` STRING);
COMMENT ON TABLE `coupa`.`invoice_lines` IS 'Lines of invoices; it\'s one row a line.';
ALTER TABLE `coupa`.`invoice_lines` ALTER COLUMN `connection_id` COMMENT 'The "instance".';
ALTER TABLE `coupa`.`invoice_lines` ALTER COLUMN `invoice_id` COMMENT 'Joins unified.invoices.';
ALTER TABLE `coupa`.`invoice_lines` ALTER COLUMN `ordinal` COMMENT 'From 1.';
ALTER TABLE `coupa`.`invoice_lines` ALTER COLUMN `amount` COMMENT 'A back\\slash.';

-- staging
CREATE TABLE `coupa`.`_spendlake_stage_1` (`connection_id` STRING, `invoice_id` STRING, `ordinal` INT, `amount` DECIMAL(38, 9), `rate` DECIMAL(16, 10), `day` DATE, `updated_at` TIMESTAMP, `is_deleted` BOOLEAN, `_content_hash` BINARY, `allocations` STRING);
CREATE TABLE `coupa`.`_spendlake_gone_1` (`connection_id` STRING, `invoice_id` STRING);

-- whole
MERGE INTO `coupa`.`invoice_lines` AS t USING (SELECT s.`connection_id`, s.`invoice_id`, s.`ordinal`, s.`amount`, s.`rate`, s.`day`, s.`updated_at`, s.`is_deleted`, s.`_content_hash`, s.`allocations`, FALSE AS `_spendlake_goes` FROM `coupa`.`_spendlake_stage_1` AS s UNION ALL SELECT `connection_id`, `invoice_id`, `ordinal`, `amount`, `rate`, `day`, `updated_at`, `is_deleted`, `_content_hash`, `allocations`, TRUE FROM `coupa`.`invoice_lines` WHERE `connection_id` = 'o\'neill' AND NOT EXISTS (SELECT 1 FROM `coupa`.`_spendlake_stage_1` AS s WHERE s.`connection_id` = `invoice_lines`.`connection_id` AND s.`invoice_id` = `invoice_lines`.`invoice_id` AND s.`ordinal` = `invoice_lines`.`ordinal`)) AS n ON t.`connection_id` = n.`connection_id` AND t.`invoice_id` = n.`invoice_id` AND t.`ordinal` = n.`ordinal` WHEN MATCHED AND n.`_spendlake_goes` THEN DELETE WHEN MATCHED THEN UPDATE SET t.`connection_id` = n.`connection_id`, t.`invoice_id` = n.`invoice_id`, t.`ordinal` = n.`ordinal`, t.`amount` = n.`amount`, t.`rate` = n.`rate`, t.`day` = n.`day`, t.`updated_at` = n.`updated_at`, t.`is_deleted` = n.`is_deleted`, t.`_content_hash` = n.`_content_hash`, t.`allocations` = n.`allocations` WHEN NOT MATCHED THEN INSERT (`connection_id`, `invoice_id`, `ordinal`, `amount`, `rate`, `day`, `updated_at`, `is_deleted`, `_content_hash`, `allocations`) VALUES (n.`connection_id`, n.`invoice_id`, n.`ordinal`, n.`amount`, n.`rate`, n.`day`, n.`updated_at`, n.`is_deleted`, n.`_content_hash`, n.`allocations`);
DELETE FROM `coupa`.`_spendlake_loads` WHERE `connection` = 'o\'neill' AND `table_name` = 'invoice_lines';
INSERT INTO `coupa`.`_spendlake_loads` (`connection`, `table_name`, `lake_table`, `version`, `run_id`, `rows`, `loaded_at`) VALUES ('o\'neill', 'invoice_lines', '5f0c', 8, 'run 8', 3, CURRENT_TIMESTAMP);

-- changed
MERGE INTO `coupa`.`invoice_lines` AS t USING (SELECT s.`connection_id`, s.`invoice_id`, s.`ordinal`, s.`amount`, s.`rate`, s.`day`, s.`updated_at`, s.`is_deleted`, s.`_content_hash`, s.`allocations`, FALSE AS `_spendlake_goes` FROM `coupa`.`_spendlake_stage_1` AS s UNION ALL SELECT `connection_id`, `invoice_id`, `ordinal`, `amount`, `rate`, `day`, `updated_at`, `is_deleted`, `_content_hash`, `allocations`, TRUE FROM `coupa`.`invoice_lines` WHERE EXISTS (SELECT 1 FROM (SELECT `connection_id`, `invoice_id` FROM `coupa`.`_spendlake_stage_1` UNION SELECT `connection_id`, `invoice_id` FROM `coupa`.`_spendlake_gone_1`) AS g WHERE g.`connection_id` = `invoice_lines`.`connection_id` AND g.`invoice_id` = `invoice_lines`.`invoice_id`) AND NOT EXISTS (SELECT 1 FROM `coupa`.`_spendlake_stage_1` AS s WHERE s.`connection_id` = `invoice_lines`.`connection_id` AND s.`invoice_id` = `invoice_lines`.`invoice_id` AND s.`ordinal` = `invoice_lines`.`ordinal`)) AS n ON t.`connection_id` = n.`connection_id` AND t.`invoice_id` = n.`invoice_id` AND t.`ordinal` = n.`ordinal` WHEN MATCHED AND n.`_spendlake_goes` THEN DELETE WHEN MATCHED THEN UPDATE SET t.`connection_id` = n.`connection_id`, t.`invoice_id` = n.`invoice_id`, t.`ordinal` = n.`ordinal`, t.`amount` = n.`amount`, t.`rate` = n.`rate`, t.`day` = n.`day`, t.`updated_at` = n.`updated_at`, t.`is_deleted` = n.`is_deleted`, t.`_content_hash` = n.`_content_hash`, t.`allocations` = n.`allocations` WHEN NOT MATCHED THEN INSERT (`connection_id`, `invoice_id`, `ordinal`, `amount`, `rate`, `day`, `updated_at`, `is_deleted`, `_content_hash`, `allocations`) VALUES (n.`connection_id`, n.`invoice_id`, n.`ordinal`, n.`amount`, n.`rate`, n.`day`, n.`updated_at`, n.`is_deleted`, n.`_content_hash`, n.`allocations`);
DELETE FROM `coupa`.`_spendlake_loads` WHERE `connection` = 'o\'neill' AND `table_name` = 'invoice_lines';
INSERT INTO `coupa`.`_spendlake_loads` (`connection`, `table_name`, `lake_table`, `version`, `run_id`, `rows`, `loaded_at`) VALUES ('o\'neill', 'invoice_lines', '5f0c', 8, 'run 8', 3, CURRENT_TIMESTAMP);

-- after
DROP TABLE IF EXISTS `coupa`.`_spendlake_stage_1`;
DROP TABLE IF EXISTS `coupa`.`_spendlake_gone_1`;

-- ledger
SELECT `lake_table`, `version`, `run_id`, `rows` FROM `coupa`.`_spendlake_loads` WHERE `connection` = 'o\'neill' AND `table_name` = 'invoice_lines';

-- columns
SELECT column_name, data_type, CAST(numeric_precision AS BIGINT), CAST(numeric_scale AS BIGINT), is_nullable FROM information_schema.columns WHERE table_schema = 'coupa' AND table_name = 'invoice_lines' ORDER BY ordinal_position;
