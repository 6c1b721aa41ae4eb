-- Do we pay different prices for the same thing?
--
-- Items bought at least three times in one unit and currency: lowest, median and highest unit price, and their
-- distance over the median. The lower quartile is the price at a quarter of the purchases, counted from the
-- lowest (nearest rank); the saving is what was paid above it.
--
-- Parameters
--   from date = year_ago: First day that counts.
--   to date = this_month: First day that does not count any more.
--   top int = 50: Rows at most.
WITH l AS (
    SELECT connection_id, item_id, uom, currency, unit_price, quantity,
           COUNT(*) OVER w AS purchases,
           ROW_NUMBER() OVER (PARTITION BY connection_id, item_id, uom, currency
                              ORDER BY unit_price, spend_line_id) AS place
    FROM report.spend_lines
    WHERE state = 'counted' AND item_id IS NOT NULL AND quantity > 0 AND unit_price > 0
      AND spend_date >= $from AND spend_date < $to
    WINDOW w AS (PARTITION BY connection_id, item_id, uom, currency)
),
q AS (
    SELECT connection_id, item_id, uom, currency, MAX(purchases) AS purchases, MIN(unit_price) AS lowest,
           MEDIAN(unit_price) AS median, MAX(unit_price) AS highest,
           MIN(CASE WHEN place * 4 >= purchases THEN unit_price END) AS quartile
    FROM l
    WHERE purchases >= 3
    GROUP BY connection_id, item_id, uom, currency
)
SELECT COALESCE(i.name, q.item_id) AS item, q.uom, q.currency, MAX(q.purchases) AS purchases,
       MIN(q.lowest) AS lowest, MIN(q.median) AS median, MAX(q.highest) AS highest,
       divide_exact(MAX(q.highest) - MIN(q.lowest), MIN(q.median)) AS dispersion,
       SUM(CASE WHEN l.unit_price > q.quartile
                THEN multiply_exact(l.unit_price - q.quartile, l.quantity) ELSE 0 END) AS saving
FROM q
JOIN l ON l.connection_id = q.connection_id AND l.item_id = q.item_id
      AND (l.uom IS NOT DISTINCT FROM q.uom) AND (l.currency IS NOT DISTINCT FROM q.currency)
LEFT JOIN unified.items i ON i.connection_id = q.connection_id AND i.id = q.item_id
GROUP BY q.connection_id, q.item_id, COALESCE(i.name, q.item_id), q.uom, q.currency
ORDER BY saving DESC NULLS LAST, item, uom, currency
LIMIT $top
