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
    SELECT connection_id, vendor_id, vendor_key, commodity_id, department_id, contract_id, spend_date,
           CASE WHEN $currency IS NULL THEN amount ELSE amount_doc END AS spend
    FROM report.spend_lines
    WHERE state = 'counted' AND spend_date >= $from AND spend_date < $to
      AND ($currency IS NULL OR currency = $currency)
),
names AS (
    SELECT s.vendor_key, MIN(c.name) AS name
    FROM (SELECT DISTINCT connection_id, vendor_id, vendor_key FROM s) s
    JOIN unified.contacts c ON c.connection_id = s.connection_id AND c.id = s.vendor_id
    GROUP BY s.vendor_key
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
    SELECT DISTINCT connection_id, commodity_id FROM marked WHERE is_on_contract AND commodity_id IS NOT NULL
),
g AS (
    SELECT COALESCE(c.name, '(none)') AS category, COALESCE(names.name, m.vendor_key, '(none)') AS supplier,
           COALESCE(d.name, '(none)') AS department, COUNT(*) AS lines, SUM(m.spend) AS spend
    FROM marked m
    JOIN covered ON covered.connection_id = m.connection_id AND covered.commodity_id = m.commodity_id
    LEFT JOIN names ON names.vendor_key = m.vendor_key
    LEFT JOIN unified.commodities c ON c.connection_id = m.connection_id AND c.id = m.commodity_id
    LEFT JOIN unified.departments d ON d.connection_id = m.connection_id AND d.id = m.department_id
    WHERE NOT m.is_on_contract
    GROUP BY 1, 2, 3
)
SELECT category, supplier, department, lines, spend, divide_exact(spend, SUM(spend) OVER ()) AS share
FROM g
ORDER BY spend DESC NULLS LAST, category, supplier, department
LIMIT $top
