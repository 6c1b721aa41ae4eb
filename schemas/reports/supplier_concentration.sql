-- How concentrated is each category?
--
-- Of each category: supplier groups with positive spend, the share of the largest, and the Herfindahl-
-- Hirschman index (the sum of squared shares in percent: below 1,500 spread, up to 2,500 moderate, above
-- concentrated; 10,000 is one supplier).
--
-- Parameters
--   from date = year_ago: First day that counts.
--   to date = this_month: First day that does not count any more.
--   currency text = null: Only documents in this currency, in their own amounts; null is all, in the reporting currency.
--   top int = 25: Rows at most.
WITH s AS (
    SELECT vendor_key, commodity_name,
           CASE WHEN $currency IS NULL THEN amount ELSE amount_doc END AS spend
    FROM report.spend_lines
    WHERE state = 'counted' AND spend_date >= $from AND spend_date < $to
      AND ($currency IS NULL OR currency = $currency)
),
g AS (
    SELECT COALESCE(commodity_name, '(none)') AS category, vendor_key, SUM(spend) AS spend
    FROM s
    GROUP BY 1, 2
    HAVING SUM(spend) > 0
),
t AS (
    SELECT category, spend, divide_exact(spend, SUM(spend) OVER (PARTITION BY category)) AS share FROM g
)
SELECT category, COUNT(*) AS suppliers, SUM(spend) AS spend, MAX(share) AS largest_share,
       round_half_even(10000 * SUM(multiply_exact(share, share))) AS hhi
FROM t
GROUP BY category
ORDER BY spend DESC NULLS LAST, category
LIMIT $top
