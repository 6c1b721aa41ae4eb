-- schema
CREATE SCHEMA IF NOT EXISTS `coupa`;
CREATE TABLE IF NOT EXISTS `coupa`.`_spendlake_loads` (`connection` STRING, `table_name` STRING, `lake_table` STRING, `version` INT64, `run_id` STRING, `rows` INT64, `loaded_at` TIMESTAMP);

-- table
CREATE TABLE `coupa`.`invoice_lines` (`connection_id` STRING NOT NULL, `invoice_id` STRING NOT NULL, `ordinal` INT64 NOT NULL, `amount` NUMERIC(38, 9), `rate` BIGNUMERIC(16, 10), `day` DATE, `updated_at` TIMESTAMP, `is_deleted` BOOL, `_content_hash` BYTES, `allocations` JSON, PRIMARY KEY (`connection_id`, `invoice_id`, `ordinal`) NOT ENFORCED);
ALTER TABLE `coupa`.`invoice_lines` SET OPTIONS (description = 'Lines of invoices; it\'s one row a line.');
ALTER TABLE `coupa`.`invoice_lines` ALTER COLUMN `connection_id` SET OPTIONS (description = 'The "instance".');
ALTER TABLE `coupa`.`invoice_lines` ALTER COLUMN `invoice_id` SET OPTIONS (description = 'Joins unified.invoices.');
ALTER TABLE `coupa`.`invoice_lines` ALTER COLUMN `ordinal` SET OPTIONS (description = 'From 1.');
ALTER TABLE `coupa`.`invoice_lines` ALTER COLUMN `amount` SET OPTIONS (description = 'A back\\slash.');

-- staging
CREATE TABLE `coupa`.`_spendlake_stage_1` (`connection_id` STRING, `invoice_id` STRING, `ordinal` INT64, `amount` NUMERIC(38, 9), `rate` BIGNUMERIC(16, 10), `day` DATE, `updated_at` TIMESTAMP, `is_deleted` BOOL, `_content_hash` BYTES, `allocations` STRING) OPTIONS (expiration_timestamp = TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL 1 DAY));
CREATE TABLE `coupa`.`_spendlake_gone_1` (`connection_id` STRING, `invoice_id` STRING) OPTIONS (expiration_timestamp = TIMESTAMP_ADD(CURRENT_TIMESTAMP(), INTERVAL 1 DAY));

-- whole
BEGIN TRANSACTION;
DELETE FROM `coupa`.`invoice_lines` WHERE `connection_id` = 'o\'neill';
INSERT INTO `coupa`.`invoice_lines` (`connection_id`, `invoice_id`, `ordinal`, `amount`, `rate`, `day`, `updated_at`, `is_deleted`, `_content_hash`, `allocations`) SELECT s.`connection_id`, s.`invoice_id`, s.`ordinal`, s.`amount`, s.`rate`, s.`day`, s.`updated_at`, s.`is_deleted`, s.`_content_hash`, PARSE_JSON(s.`allocations`, wide_number_mode => 'round') FROM `coupa`.`_spendlake_stage_1` AS s;
DELETE FROM `coupa`.`_spendlake_loads` WHERE `connection` = 'o\'neill' AND `table_name` = 'invoice_lines';
INSERT INTO `coupa`.`_spendlake_loads` (`connection`, `table_name`, `lake_table`, `version`, `run_id`, `rows`, `loaded_at`) VALUES ('o\'neill', 'invoice_lines', '5f0c', 8, 'run 8', 3, CURRENT_TIMESTAMP());
COMMIT TRANSACTION;

-- changed
BEGIN TRANSACTION;
DELETE FROM `coupa`.`invoice_lines` WHERE EXISTS (SELECT 1 FROM (SELECT `connection_id`, `invoice_id` FROM `coupa`.`_spendlake_stage_1` UNION DISTINCT SELECT `connection_id`, `invoice_id` FROM `coupa`.`_spendlake_gone_1`) AS g WHERE g.`connection_id` = `invoice_lines`.`connection_id` AND g.`invoice_id` = `invoice_lines`.`invoice_id`);
INSERT INTO `coupa`.`invoice_lines` (`connection_id`, `invoice_id`, `ordinal`, `amount`, `rate`, `day`, `updated_at`, `is_deleted`, `_content_hash`, `allocations`) SELECT s.`connection_id`, s.`invoice_id`, s.`ordinal`, s.`amount`, s.`rate`, s.`day`, s.`updated_at`, s.`is_deleted`, s.`_content_hash`, PARSE_JSON(s.`allocations`, wide_number_mode => 'round') FROM `coupa`.`_spendlake_stage_1` AS s;
DELETE FROM `coupa`.`_spendlake_loads` WHERE `connection` = 'o\'neill' AND `table_name` = 'invoice_lines';
INSERT INTO `coupa`.`_spendlake_loads` (`connection`, `table_name`, `lake_table`, `version`, `run_id`, `rows`, `loaded_at`) VALUES ('o\'neill', 'invoice_lines', '5f0c', 8, 'run 8', 3, CURRENT_TIMESTAMP());
COMMIT TRANSACTION;

-- after
DROP TABLE IF EXISTS `coupa`.`_spendlake_stage_1`;
DROP TABLE IF EXISTS `coupa`.`_spendlake_gone_1`;

-- ledger
SELECT `lake_table`, `version`, `run_id`, `rows` FROM `coupa`.`_spendlake_loads` WHERE `connection` = 'o\'neill' AND `table_name` = 'invoice_lines';

-- columns
SELECT column_name, data_type, CAST(NULL AS INT64), CAST(NULL AS INT64), is_nullable FROM `coupa`.INFORMATION_SCHEMA.COLUMNS WHERE table_name = 'invoice_lines' ORDER BY ordinal_position;
