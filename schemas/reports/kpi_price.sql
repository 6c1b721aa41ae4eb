-- Price
--
-- Price variance of a currency: billed less ordered price, times the quantity, over the ordered price times
-- the quantity, of lines that count against their order line; positive is unfavourable. What exchange rates
-- make is apart. Overpaid counts the unfavourable lines alone.
--
-- Parameters
--   from date = year_ago: First day that counts.
--   to date = this_month: First day that does not count any more.
WITH m AS (
    SELECT po_currency, price_variance, multiply_exact(po_price, qty_consumed) AS ordered
    FROM report.po_invoice_match
    WHERE consumes AND match_status <> 'excluded' AND price_variance IS NOT NULL
      AND invoice_date >= $from AND invoice_date < $to
),
g AS (
    SELECT po_currency, SUM(price_variance) AS variance, SUM(ordered) AS ordered,
           COALESCE(SUM(price_variance) FILTER (WHERE price_variance > 0), 0) AS overpaid
    FROM m
    GROUP BY po_currency
),
rows AS (
    SELECT 1 AS place, 'Price variance rate (' || po_currency || ')' AS kpi, 'share' AS unit,
           divide_exact(variance, ordered) AS value, CAST(variance AS DECIMAL(38, 9)) AS numerator, CAST(ordered AS DECIMAL(38, 9)) AS denominator FROM g
    UNION ALL SELECT 2, 'Overpaid (' || po_currency || ')', po_currency, CAST(overpaid AS DECIMAL(38, 9)), NULL, NULL FROM g
)
SELECT kpi, unit, value, numerator, denominator FROM rows ORDER BY place, kpi
