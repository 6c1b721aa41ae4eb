-- What was bought without a purchase order?
--
-- Counted spend on invoice lines that neither an order line nor a contract stands behind, by supplier,
-- department and account.
--
-- Parameters
--   from date = year_ago: First day that counts.
--   to date = this_month: First day that does not count any more.
--   currency text = null: Only documents in this currency, in their own amounts; null is all, in the reporting currency.
--   top int = 50: Rows at most.
WITH s AS (
    SELECT vendor_name, vendor_key, department_name, account_code, invoice_id, match_status,
           CASE WHEN $currency IS NULL THEN amount ELSE amount_doc END AS spend
    FROM report.spend_lines
    WHERE state = 'counted' AND spend_date >= $from AND spend_date < $to
      AND ($currency IS NULL OR currency = $currency)
),
names AS (
    SELECT vendor_key, MIN(vendor_name) AS name FROM s GROUP BY vendor_key
),
g AS (
    SELECT COALESCE(names.name, s.vendor_key, '(none)') AS supplier, COALESCE(s.department_name, '(none)') AS department,
           COALESCE(s.account_code, '(none)') AS account, COUNT(DISTINCT s.invoice_id) AS invoices,
           SUM(s.spend) AS spend
    FROM s
    LEFT JOIN names ON names.vendor_key = s.vendor_key
    WHERE s.match_status = 'unbacked'
    GROUP BY 1, 2, 3
)
SELECT supplier, department, account, invoices, spend, divide_exact(spend, SUM(spend) OVER ()) AS share
FROM g
ORDER BY spend DESC NULLS LAST, supplier, department, account
LIMIT $top
