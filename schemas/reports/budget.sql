-- How do we stand against budget?
--
-- Budget lines whose period meets the one asked for: actual is counted spend on their account in their period
-- so far, committed what is open on orders of the account, requested as the source reckons it. The forecast is
-- actual over the elapsed share of the period. Spend counts in the budget's currency: as reported where that
-- is the reporting currency, else documents in it.
--
-- Parameters
--   on date = today: The day on which it is asked.
--   top int = 50: Rows at most.
WITH b AS (
    SELECT connection_id, id, account_code, period_name, period_start, period_end, owner_name, currency, amount AS budget,
           COALESCE(pending_requisitions_amount, 0) AS requested
    FROM unified.budget_lines
    WHERE period_start <= $on AND period_end >= $on
),
actual AS (
    SELECT b.connection_id, b.id,
           SUM(CASE WHEN s.reporting_currency = b.currency THEN s.amount
                    WHEN s.currency = b.currency THEN s.amount_doc END) AS actual
    FROM b
    JOIN report.spend_lines s
      ON s.connection_id = b.connection_id AND s.account_code = b.account_code
     AND s.spend_date >= b.period_start AND s.spend_date <= b.period_end AND s.spend_date <= $on
    WHERE s.state = 'counted'
    GROUP BY b.connection_id, b.id
),
committed AS (
    SELECT l.connection_id, l.account_code, p.currency, SUM(p.open_commitment) AS committed
    FROM report.po_line_position p
    JOIN unified.purchase_order_lines l ON l.connection_id = p.connection_id AND l.id = p.order_line_id
    GROUP BY l.connection_id, l.account_code, p.currency
),
g AS (
    SELECT b.*, COALESCE(actual.actual, 0) AS actual, COALESCE(committed.committed, 0) AS committed,
           CAST($on AS INT) - CAST(period_start AS INT) + 1 AS elapsed,
           CAST(period_end AS INT) - CAST(period_start AS INT) + 1 AS days
    FROM b
    LEFT JOIN actual ON actual.connection_id = b.connection_id AND actual.id = b.id
    LEFT JOIN committed ON committed.connection_id = b.connection_id
         AND committed.account_code = b.account_code AND committed.currency = b.currency
)
SELECT account_code AS account, period_name AS period, owner_name AS owner, currency, budget, actual, committed, requested,
       budget - actual AS variance, divide_exact(actual + committed + requested, budget) AS used_rate,
       divide_exact(multiply_exact(actual, days), elapsed) AS forecast
FROM g
ORDER BY budget - actual, account, period, currency
LIMIT $top
