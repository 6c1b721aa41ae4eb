-- The currency and the calendar of reports.
WITH given AS (
    SELECT
        max(CASE WHEN name = 'reporting_currency' THEN value END) AS currency,
        max(CASE WHEN name = 'fiscal_year_start' THEN TRY_CAST(value AS INT) END) AS fiscal_year_start
    FROM words.settings_given
),
books AS (
    SELECT accounting_currency AS currency
    FROM unified.invoice_lines
    WHERE accounting_currency IS NOT NULL
    GROUP BY accounting_currency
    ORDER BY count(*) DESC, accounting_currency
    LIMIT 1
),
chosen AS (
    SELECT
        coalesce(given.currency, books.currency, 'USD') AS currency,
        CASE WHEN given.fiscal_year_start BETWEEN 1 AND 12 THEN given.fiscal_year_start ELSE 1 END AS fiscal_year_start
    FROM given
    LEFT JOIN books ON true
)
SELECT
    chosen.currency AS reporting_currency,
    CAST(coalesce(max(money.decimals), 2) AS INT) AS decimals,
    CAST(max(chosen.fiscal_year_start) AS INT) AS fiscal_year_start
FROM chosen
LEFT JOIN unified.currencies AS money ON money.code = chosen.currency
GROUP BY chosen.currency
