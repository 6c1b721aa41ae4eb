-- Where does the money go?
--
-- Counted spend by month, category, department and supplier, largest first, with its share of the month's
-- spend and the same month a year before.
--
-- Parameters
--   from date = year_ago: First day that counts.
--   to date = this_month: First day that does not count any more.
--   currency text = null: Only documents in this currency, in their own amounts; null is all, in the reporting currency.
--   top int = 100: Rows at most.
WITH s AS (
    SELECT commodity_name, department_name, vendor_name, vendor_key, spend_date >= $from AS is_now,
           to_char(CASE WHEN spend_date >= $from THEN spend_date
                        ELSE spend_date + INTERVAL '12 months' END, '%Y-%m') AS month,
           CASE WHEN $currency IS NULL THEN amount ELSE amount_doc END AS spend
    FROM report.spend_lines
    WHERE state = 'counted'
      AND (spend_date >= $from AND spend_date < $to
           OR spend_date >= $from - INTERVAL '12 months' AND spend_date < $to - INTERVAL '12 months')
      AND ($currency IS NULL OR currency = $currency)
),
names AS (
    SELECT vendor_key, MIN(vendor_name) AS name FROM s GROUP BY vendor_key
),
g AS (
    SELECT s.month, COALESCE(s.commodity_name, '(none)') AS category,
           COALESCE(s.department_name, '(none)') AS department,
           COALESCE(names.name, s.vendor_key, '(none)') AS supplier,
           COALESCE(SUM(s.spend) FILTER (WHERE is_now), 0) AS spend,
           COALESCE(SUM(s.spend) FILTER (WHERE NOT is_now), 0) AS year_before
    FROM s
    LEFT JOIN names ON names.vendor_key = s.vendor_key
    GROUP BY 1, 2, 3, 4
)
SELECT month, category, department, supplier, spend,
       divide_exact(spend, SUM(spend) OVER (PARTITION BY month)) AS month_share,
       year_before, spend - year_before AS change
FROM g
ORDER BY spend DESC NULLS LAST, month, category, department, supplier
LIMIT $top
