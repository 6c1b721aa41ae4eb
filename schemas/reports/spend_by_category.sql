-- Spend by category
--
-- Counted spend by category, net of tax, its share of all spend in the period, and the same days a year
-- before. What has no category is shown as (none).
--
-- Parameters
--   from date = year_ago: First day that counts.
--   to date = this_month: First day that does not count any more.
--   currency text = null: Only documents in this currency, in their own amounts; null is all, in the reporting currency.
--   top int = 20: Rows at most.
WITH s AS (
    SELECT commodity_name, vendor_key, spend_date >= $from AS is_now,
           CASE WHEN $currency IS NULL THEN amount ELSE amount_doc END AS spend
    FROM report.spend_lines
    WHERE state = 'counted'
      AND (spend_date >= $from AND spend_date < $to
           OR spend_date >= $from - INTERVAL '12 months' AND spend_date < $to - INTERVAL '12 months')
      AND ($currency IS NULL OR currency = $currency)
),
g AS (
    SELECT COALESCE(commodity_name, '(none)') AS category,
           COALESCE(SUM(spend) FILTER (WHERE is_now), 0) AS spend,
           COALESCE(SUM(spend) FILTER (WHERE NOT is_now), 0) AS year_before,
           COUNT(DISTINCT vendor_key) FILTER (WHERE is_now) AS suppliers
    FROM s
    GROUP BY 1
)
SELECT category, spend, divide_exact(spend, SUM(spend) OVER ()) AS share, year_before,
       divide_exact(spend - year_before, year_before) AS change_rate, suppliers
FROM g
ORDER BY spend DESC NULLS LAST, category
LIMIT $top
