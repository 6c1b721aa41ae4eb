-- What runs outside contracts?
--
-- Counted spend without a contract that was valid on the day, in categories in which others do buy on a
-- contract in the same period: there it could have been. An expired or ended contract is none. By category,
-- supplier and department.
--
-- Parameters
--   from date = year_ago: First day that counts.
--   to date = this_month: First day that does not count any more.
--   currency text = null: Only documents in this currency, in their own amounts; null is all, in the reporting currency.
--   top int = 50: Rows at most.
WITH s AS (
    SELECT connection_id, vendor_name, vendor_key, commodity_name, department_name, contract_id, spend_date,
           CASE WHEN $currency IS NULL THEN amount ELSE amount_doc END AS spend
    FROM report.spend_lines
    WHERE state = 'counted' AND spend_date >= $from AND spend_date < $to
      AND ($currency IS NULL OR currency = $currency)
),
names AS (
    SELECT vendor_key, MIN(vendor_name) AS name FROM s GROUP BY vendor_key
),
contract AS (
    SELECT connection_id, id, start_date, end_date
    FROM unified.contracts
    WHERE NOT COALESCE(is_terminated, FALSE)
),
marked AS (
    SELECT s.*, contract.id IS NOT NULL
               AND s.spend_date >= COALESCE(contract.start_date, s.spend_date)
               AND s.spend_date <= COALESCE(contract.end_date, s.spend_date) AS is_on_contract
    FROM s
    LEFT JOIN contract ON contract.connection_id = s.connection_id AND contract.id = s.contract_id
),
covered AS (
    SELECT DISTINCT commodity_name FROM marked WHERE is_on_contract
),
g AS (
    SELECT m.commodity_name AS category, COALESCE(names.name, m.vendor_key, '(none)') AS supplier,
           COALESCE(m.department_name, '(none)') AS department, COUNT(*) AS lines, SUM(m.spend) AS spend
    FROM marked m
    JOIN covered ON covered.commodity_name = m.commodity_name
    LEFT JOIN names ON names.vendor_key = m.vendor_key
    WHERE NOT m.is_on_contract
    GROUP BY 1, 2, 3
)
SELECT category, supplier, department, lines, spend, divide_exact(spend, SUM(spend) OVER ()) AS share
FROM g
ORDER BY spend DESC NULLS LAST, category, supplier, department
LIMIT $top
