-- How fast are contracts used up?
--
-- Contracts with a minimum or maximum commitment that run on the day: counted spend on them from their first
-- day, in the contract's currency (as reported where that is the reporting currency, else documents in it),
-- of the maximum, beside the elapsed share of their term. The shortfall is what is missing to the minimum.
--
-- Parameters
--   on date = today: The day on which it is asked.
--   top int = 50: Rows at most.
WITH c AS (
    SELECT connection_id, id, number, name, supplier_name, currency, start_date, end_date, minimum_commit, maximum_commit
    FROM unified.contracts
    WHERE COALESCE(minimum_commit, maximum_commit) > 0 AND NOT COALESCE(is_terminated, FALSE)
      AND start_date <= $on AND end_date >= $on
),
used AS (
    SELECT c.connection_id, c.id,
           SUM(CASE WHEN s.reporting_currency = c.currency THEN s.amount
                    WHEN s.currency = c.currency THEN s.amount_doc END) AS spend
    FROM c
    JOIN report.spend_lines s
      ON s.connection_id = c.connection_id AND s.contract_id = c.id
     AND s.spend_date >= c.start_date AND s.spend_date <= $on
    WHERE s.state = 'counted'
    GROUP BY c.connection_id, c.id
),
g AS (
    SELECT c.*, COALESCE(used.spend, 0) AS spend,
           CAST($on AS INT) - CAST(c.start_date AS INT) + 1 AS elapsed,
           CAST(c.end_date AS INT) - CAST(c.start_date AS INT) + 1 AS days
    FROM c
    LEFT JOIN used ON used.connection_id = c.connection_id AND used.id = c.id
)
SELECT COALESCE(number, id) AS contract, name, supplier_name AS supplier, currency, end_date, spend, maximum_commit,
       divide_exact(spend, maximum_commit) AS used_rate, divide_exact(elapsed, days) AS elapsed_rate,
       minimum_commit, CASE WHEN minimum_commit IS NOT NULL THEN greatest(minimum_commit - spend, 0) END AS shortfall
FROM g
ORDER BY used_rate DESC NULLS LAST, contract, name
LIMIT $top
