-- Control and compliance
--
-- Spend: counted, net of tax, credits subtracted. Lines without a rate: counted lines that have no amount in
-- the reporting currency and are in no sum.
-- PO coverage by value: net on order lines of net on order lines, on contracts and on neither; invoices alone,
-- without charges. By count: invoices with an order behind all their lines, mixed ones as half, of all live
-- invoices.
-- No-PO invoice rate: invoices that neither an order nor a contract stands behind, of all live invoices; by
-- value likewise.
-- After-the-fact order rate: distinct orders billed by an invoice dated before they were made, of distinct
-- orders billed.
-- On-contract spend: with a contract valid on the day, of spend. Maverick spend: outside of orders, contracts
-- and cards, or without a valid contract in a category in which others buy on one, of spend. Managed spend:
-- with a valid contract or on an order made by the day of the invoice, of spend. Ordered in advance: on orders
-- made by the day of the invoice, of spend.
-- Expense lines in policy: not over a limit, of all.
-- A share is null where there is nothing to have a share of.
--
-- Parameters
--   from date = year_ago: First day that counts.
--   to date = this_month: First day that does not count any more.
--   currency text = null: Only documents in this currency, in their own amounts; null is all, in the reporting currency.
WITH s AS (
    SELECT connection_id, channel, vendor_key, commodity_name, contract_id, purchase_order_line_id, match_status, spend_date,
           COALESCE($currency, reporting_currency) AS spend_currency,
           CASE WHEN $currency IS NULL THEN amount ELSE amount_doc END AS spend
    FROM report.spend_lines
    WHERE state = 'counted' AND spend_date >= $from AND spend_date < $to
      AND ($currency IS NULL OR currency = $currency)
),
marked AS (
    SELECT s.*, s.match_status IS NOT NULL AS is_invoice_line,
           c.id IS NOT NULL AND s.spend_date >= COALESCE(c.start_date, s.spend_date)
             AND s.spend_date <= COALESCE(c.end_date, s.spend_date) AS is_on_contract,
           p.order_line_id IS NOT NULL AND p.order_date <= s.spend_date AS is_ordered_before
    FROM s
    LEFT JOIN unified.contracts c ON c.connection_id = s.connection_id AND c.id = s.contract_id
         AND NOT COALESCE(c.is_terminated, FALSE)
    LEFT JOIN report.po_line_position p
      ON p.connection_id = s.connection_id AND p.order_line_id = s.purchase_order_line_id
),
covered AS (
    SELECT DISTINCT commodity_name FROM marked WHERE is_on_contract
),
sums AS (
    SELECT COALESCE(MAX(m.spend_currency), 'currency') AS unit, COALESCE(SUM(m.spend), 0) AS spend, COUNT(*) AS lines, COUNT(m.spend) AS lines_with_amount,
           COALESCE(SUM(m.spend) FILTER (WHERE m.is_invoice_line), 0) AS invoiced,
           COALESCE(SUM(m.spend) FILTER (WHERE m.purchase_order_line_id IS NOT NULL AND m.is_invoice_line), 0) AS po,
           COALESCE(SUM(m.spend) FILTER (WHERE m.match_status = 'unbacked'), 0) AS unbacked,
           COALESCE(SUM(m.spend) FILTER (WHERE m.is_on_contract), 0) AS on_contract,
           COALESCE(SUM(m.spend) FILTER (WHERE m.is_on_contract OR m.is_ordered_before), 0) AS managed,
           COALESCE(SUM(m.spend) FILTER (WHERE m.is_ordered_before), 0) AS ordered_before,
           COALESCE(SUM(m.spend) FILTER (WHERE m.match_status = 'unbacked'
               OR NOT m.is_on_contract AND covered.commodity_name IS NOT NULL), 0) AS maverick
    FROM marked m
    LEFT JOIN covered ON covered.commodity_name = m.commodity_name
),
invoices AS (
    SELECT COUNT(*) AS live, COUNT(*) FILTER (WHERE backing = 'no_po') AS no_po,
           COUNT(*) FILTER (WHERE backing = 'po') + 0.5 * COUNT(*) FILTER (WHERE backing = 'mixed') AS po
    FROM report.invoice_match
    WHERE backing <> 'excluded' AND invoice_date >= $from AND invoice_date < $to
      AND ($currency IS NULL OR currency = $currency)
),
orders AS (
    SELECT COUNT(DISTINCT order_id) AS billed, COUNT(DISTINCT CASE WHEN after_the_fact THEN order_id END) AS late
    FROM report.po_invoice_match
    WHERE order_id IS NOT NULL AND match_status <> 'excluded' AND invoice_date >= $from AND invoice_date < $to
      AND ($currency IS NULL OR currency = $currency)
),
expenses AS (
    SELECT COUNT(*) AS lines, COUNT(*) FILTER (WHERE NOT COALESCE(is_over_limit, FALSE)) AS kept
    FROM unified.expense_lines
    WHERE expense_date >= $from AND expense_date < $to AND ($currency IS NULL OR currency = $currency)
),
ratios AS (
    SELECT 3 AS place, 'PO coverage by value' AS kpi, CAST(po AS DECIMAL(38, 9)) AS numerator, CAST(invoiced AS DECIMAL(38, 9)) AS denominator FROM sums
    UNION ALL SELECT 4, 'PO coverage by count', CAST(po AS DECIMAL(38, 9)), CAST(live AS DECIMAL(38, 9)) FROM invoices
    UNION ALL SELECT 5, 'No-PO invoice rate', CAST(no_po AS DECIMAL(38, 9)), CAST(live AS DECIMAL(38, 9)) FROM invoices
    UNION ALL SELECT 6, 'No-PO invoice rate by value', CAST(unbacked AS DECIMAL(38, 9)), CAST(invoiced AS DECIMAL(38, 9)) FROM sums
    UNION ALL SELECT 7, 'After-the-fact order rate', CAST(late AS DECIMAL(38, 9)), CAST(billed AS DECIMAL(38, 9)) FROM orders
    UNION ALL SELECT 8, 'On-contract spend', CAST(on_contract AS DECIMAL(38, 9)), CAST(spend AS DECIMAL(38, 9)) FROM sums
    UNION ALL SELECT 9, 'Maverick spend', CAST(maverick AS DECIMAL(38, 9)), CAST(spend AS DECIMAL(38, 9)) FROM sums
    UNION ALL SELECT 10, 'Managed spend', CAST(managed AS DECIMAL(38, 9)), CAST(spend AS DECIMAL(38, 9)) FROM sums
    UNION ALL SELECT 11, 'Ordered in advance', CAST(ordered_before AS DECIMAL(38, 9)), CAST(spend AS DECIMAL(38, 9)) FROM sums
    UNION ALL SELECT 12, 'Expense lines in policy', CAST(kept AS DECIMAL(38, 9)), CAST(lines AS DECIMAL(38, 9)) FROM expenses
),
rows AS (
    SELECT 1 AS place, 'Spend' AS kpi, unit, CAST(spend AS DECIMAL(38, 9)) AS value,
           CAST(NULL AS DECIMAL(38, 9)) AS numerator, CAST(NULL AS DECIMAL(38, 9)) AS denominator FROM sums
    UNION ALL SELECT 2, 'Lines without a rate', 'count', CAST(lines - lines_with_amount AS DECIMAL(38, 9)), NULL, NULL FROM sums
    UNION ALL SELECT place, kpi, 'share' AS unit, divide_exact(numerator, denominator) AS value, numerator, denominator FROM ratios
)
SELECT kpi, unit, value, numerator, denominator FROM rows ORDER BY place
