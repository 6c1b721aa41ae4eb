-- Who are our largest suppliers, and how dependent are we?
--
-- Counted spend by supplier group (names matched, not as billed), its share and the running share from the
-- largest down. Years counts the calendar years, ever, in which there was spend with the group.
--
-- Parameters
--   from date = year_ago: First day that counts.
--   to date = this_month: First day that does not count any more.
--   currency text = null: Only documents in this currency, in their own amounts; null is all, in the reporting currency.
--   top int = 25: Rows at most.
WITH s AS (
    SELECT vendor_name, vendor_key, commodity_name, invoice_id,
           CASE WHEN $currency IS NULL THEN amount ELSE amount_doc END AS spend
    FROM report.spend_lines
    WHERE state = 'counted' AND spend_date >= $from AND spend_date < $to
      AND ($currency IS NULL OR currency = $currency)
),
names AS (
    SELECT vendor_key, MIN(vendor_name) AS name FROM s GROUP BY vendor_key
),
g AS (
    SELECT vendor_key, SUM(spend) AS spend, COUNT(DISTINCT invoice_id) AS invoices,
           COUNT(DISTINCT commodity_name) AS categories
    FROM s
    GROUP BY vendor_key
),
years AS (
    SELECT vendor_key, COUNT(DISTINCT date_part('year', spend_date)) AS years
    FROM report.spend_lines
    WHERE state = 'counted'
    GROUP BY vendor_key
),
ranked AS (
    SELECT g.*, SUM(spend) OVER () AS total,
           SUM(spend) OVER (ORDER BY spend DESC NULLS LAST, vendor_key ROWS UNBOUNDED PRECEDING) AS running
    FROM g
)
SELECT COALESCE(names.name, r.vendor_key, '(none)') AS supplier, r.spend,
       divide_exact(r.spend, r.total) AS share, divide_exact(r.running, r.total) AS cumulative_share,
       r.invoices, r.categories, years.years
FROM ranked r
LEFT JOIN names ON names.vendor_key = r.vendor_key
LEFT JOIN years ON years.vendor_key = r.vendor_key
ORDER BY r.spend DESC NULLS LAST, r.vendor_key
LIMIT $top
