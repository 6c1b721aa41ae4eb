-- Which prices went up?
--
-- Items bought in the period and in the same days a year before, in one unit and currency: the average unit
-- price, weighted by quantity, of both; their ratio (the index, 1 is unchanged); and what the change made of
-- what was bought now.
--
-- Parameters
--   from date = year_ago: First day that counts.
--   to date = this_month: First day that does not count any more.
--   top int = 50: Rows at most.
WITH l AS (
    SELECT connection_id, item_id, uom, currency, quantity, spend_date >= $from AS is_now,
           multiply_exact(unit_price, quantity) AS value
    FROM report.spend_lines
    WHERE state = 'counted' AND item_id IS NOT NULL AND quantity > 0 AND unit_price > 0
      AND (spend_date >= $from AND spend_date < $to
           OR spend_date >= $from - INTERVAL '12 months' AND spend_date < $to - INTERVAL '12 months')
),
g AS (
    SELECT connection_id, item_id, uom, currency,
           SUM(quantity) FILTER (WHERE is_now) AS quantity,
           divide_exact(SUM(value) FILTER (WHERE is_now), SUM(quantity) FILTER (WHERE is_now)) AS price,
           divide_exact(SUM(value) FILTER (WHERE NOT is_now), SUM(quantity) FILTER (WHERE NOT is_now)) AS price_before
    FROM l
    GROUP BY connection_id, item_id, uom, currency
)
SELECT COALESCE(i.name, g.item_id) AS item, g.uom, g.currency, g.quantity, g.price, g.price_before,
       divide_exact(g.price, g.price_before) AS price_index,
       multiply_exact(g.price - g.price_before, g.quantity) AS effect
FROM g
LEFT JOIN unified.items i ON i.connection_id = g.connection_id AND i.id = g.item_id
WHERE g.price IS NOT NULL AND g.price_before IS NOT NULL
ORDER BY effect DESC NULLS LAST, item, uom, currency
LIMIT $top
