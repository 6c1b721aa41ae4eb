-- Rates carried forward to the days of documents; of two on one day the later record holds.
WITH day AS (
    SELECT issue_date AS day FROM unified.invoices
    UNION
    SELECT issue_date AS day FROM unified.purchase_orders
    UNION
    SELECT expense_date AS day FROM unified.expense_lines
    UNION
    SELECT issue_date AS day FROM unified.expense_reports
),
known AS (
    SELECT from_currency, to_currency, rate_date AS day, TRY_CAST(id AS BIGINT) AS rate_order, rate
    FROM unified.exchange_rates
    WHERE rate > 0 AND NOT is_deleted
        AND from_currency IS NOT NULL AND to_currency IS NOT NULL AND rate_date IS NOT NULL
)
SELECT from_currency, to_currency, day, rate
FROM (
    SELECT
        from_currency,
        to_currency,
        day,
        is_asked,
        last_value(rate) IGNORE NULLS OVER (
            PARTITION BY from_currency, to_currency
            ORDER BY day, is_asked, rate_order
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS rate
    FROM (
        SELECT from_currency, to_currency, day, false AS is_asked, rate_order, rate FROM known
        UNION ALL
        SELECT pair.from_currency, pair.to_currency, day.day, true, NULL, NULL
        FROM (SELECT DISTINCT from_currency, to_currency FROM known) AS pair
        CROSS JOIN day
        WHERE day.day IS NOT NULL
    )
)
WHERE is_asked AND rate IS NOT NULL
