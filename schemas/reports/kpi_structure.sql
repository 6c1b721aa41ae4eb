-- Structure
--
-- Suppliers: groups with spend. Top-ten share: the spend of the ten largest of all. Tail: groups from the
-- first before which the running share has reached 80 %, their count and spend (Pareto rule; groups with
-- positive spend). HHI: the sum of squared shares in percent, over groups with positive spend.
-- Single-source categories: categories with one group, of all with spend. New suppliers: groups whose first
-- spend ever is in the period; lost: with spend in the twelve months before it and none in it. One-time
-- suppliers: groups with one invoice in the period.
-- Average invoice: spend on invoices of their number. Classified spend: with a category, of spend.
--
-- Parameters
--   from date = year_ago: First day that counts.
--   to date = this_month: First day that does not count any more.
--   currency text = null: Only documents in this currency, in their own amounts; null is all, in the reporting currency.
WITH s AS (
    SELECT vendor_key, commodity_name, invoice_id, COALESCE($currency, reporting_currency) AS spend_currency,
           CASE WHEN $currency IS NULL THEN amount ELSE amount_doc END AS spend
    FROM report.spend_lines
    WHERE state = 'counted' AND spend_date >= $from AND spend_date < $to
      AND ($currency IS NULL OR currency = $currency)
),
g AS (
    SELECT vendor_key, SUM(spend) AS spend, COUNT(DISTINCT invoice_id) AS invoices FROM s GROUP BY vendor_key
),
positive AS (
    SELECT spend, ROW_NUMBER() OVER (ORDER BY spend DESC NULLS LAST, vendor_key) AS place,
           divide_exact(spend, SUM(spend) OVER ()) AS share,
           divide_exact(SUM(spend) OVER (ORDER BY spend DESC NULLS LAST, vendor_key ROWS UNBOUNDED PRECEDING) - spend,
                        SUM(spend) OVER ()) >= 0.8 AS is_tail
    FROM g
    WHERE spend > 0
),
p AS (
    SELECT COUNT(*) AS suppliers, COALESCE(SUM(spend), 0) AS spend,
           COALESCE(SUM(spend) FILTER (WHERE place <= 10), 0) AS top_ten,
           COUNT(*) FILTER (WHERE is_tail) AS tail_suppliers,
           COALESCE(SUM(spend) FILTER (WHERE is_tail), 0) AS tail_spend,
           10000 * SUM(multiply_exact(share, share)) AS hhi
    FROM positive
),
ever AS (
    SELECT vendor_key, MIN(spend_date) AS first_day,
           COUNT(*) FILTER (WHERE spend_date >= $from - INTERVAL '12 months' AND spend_date < $from) AS lines_before,
           COUNT(*) FILTER (WHERE spend_date >= $from AND spend_date < $to) AS lines_now
    FROM report.spend_lines
    WHERE state = 'counted' AND ($currency IS NULL OR currency = $currency)
    GROUP BY vendor_key
),
e AS (
    SELECT COUNT(*) FILTER (WHERE first_day >= $from AND first_day < $to) AS new_ones,
           COUNT(*) FILTER (WHERE lines_before > 0 AND lines_now = 0) AS lost
    FROM ever
),
c AS (
    SELECT COUNT(*) AS categories, COUNT(*) FILTER (WHERE suppliers = 1) AS single
    FROM (SELECT commodity_name, COUNT(DISTINCT vendor_key) AS suppliers FROM s
          WHERE commodity_name IS NOT NULL GROUP BY commodity_name)
),
t AS (
    SELECT COALESCE(MAX(spend_currency), 'currency') AS unit,
           COALESCE(SUM(spend), 0) AS spend, COALESCE(SUM(spend) FILTER (WHERE commodity_name IS NOT NULL), 0) AS classified,
           COALESCE(SUM(spend) FILTER (WHERE invoice_id IS NOT NULL), 0) AS invoiced, COUNT(DISTINCT invoice_id) AS invoices
    FROM s
),
one AS (SELECT COUNT(*) FILTER (WHERE invoices = 1) AS one_time, COUNT(*) AS groups FROM g),
ratios AS (
    SELECT 2 AS place, 'Top-ten share' AS kpi, CAST(top_ten AS DECIMAL(38, 9)) AS numerator, CAST(spend AS DECIMAL(38, 9)) AS denominator FROM p
    UNION ALL SELECT 3, 'Tail spend share', CAST(tail_spend AS DECIMAL(38, 9)), CAST(spend AS DECIMAL(38, 9)) FROM p
    UNION ALL SELECT 4, 'Tail supplier share', CAST(tail_suppliers AS DECIMAL(38, 9)), CAST(suppliers AS DECIMAL(38, 9)) FROM p
    UNION ALL SELECT 6, 'Single-source categories', CAST(single AS DECIMAL(38, 9)), CAST(categories AS DECIMAL(38, 9)) FROM c
    UNION ALL SELECT 9, 'One-time suppliers', CAST(one_time AS DECIMAL(38, 9)), CAST(groups AS DECIMAL(38, 9)) FROM one
    UNION ALL SELECT 11, 'Classified spend', CAST(classified AS DECIMAL(38, 9)), CAST(spend AS DECIMAL(38, 9)) FROM t
),
rows AS (
    SELECT 1 AS place, 'Suppliers' AS kpi, 'count' AS unit, CAST(suppliers AS DECIMAL(38, 9)) AS value,
           CAST(NULL AS DECIMAL(38, 9)) AS numerator, CAST(NULL AS DECIMAL(38, 9)) AS denominator FROM p
    UNION ALL SELECT place, kpi, 'share' AS unit, divide_exact(numerator, denominator) AS value, numerator, denominator FROM ratios
    UNION ALL SELECT 5, 'Supplier concentration (HHI)', 'index', round_half_even(hhi), NULL, NULL FROM p
    UNION ALL SELECT 7, 'New suppliers', 'count', CAST(new_ones AS DECIMAL(38, 9)), NULL, NULL FROM e
    UNION ALL SELECT 8, 'Lost suppliers', 'count', CAST(lost AS DECIMAL(38, 9)), NULL, NULL FROM e
    UNION ALL SELECT 10, 'Average invoice', unit, divide_exact(invoiced, invoices), CAST(invoiced AS DECIMAL(38, 9)), CAST(invoices AS DECIMAL(38, 9)) FROM t
)
SELECT kpi, unit, value, numerator, denominator FROM rows ORDER BY place
