-- Which orders were written after the invoice?
--
-- Orders with a linked invoice dated before the order was made (the same day is not late), by department and
-- requester. Days late are from the first such invoice to the order. Value is the invoiced net of the lines
-- concerned, in the invoice's currency.
--
-- Parameters
--   from date = year_ago: First day that counts.
--   to date = this_month: First day that does not count any more.
--   top int = 50: Rows at most.
WITH late AS (
    SELECT m.connection_id, m.order_id, m.currency, MIN(m.invoice_date) AS invoice_date, SUM(m.line_net) AS value,
           MIN(p.order_date) AS order_date, MIN(p.department_id) AS department_id
    FROM report.po_invoice_match m
    JOIN report.po_line_position p
      ON p.connection_id = m.connection_id AND p.order_line_id = m.order_line_id
    WHERE m.after_the_fact AND m.match_status <> 'excluded'
      AND m.invoice_date >= $from AND m.invoice_date < $to
    GROUP BY m.connection_id, m.order_id, m.currency
)
SELECT COALESCE(d.name, '(none)') AS department, COALESCE(o.employee_name, '(none)') AS requester,
       late.currency, COUNT(*) AS orders, SUM(late.value) AS value,
       MEDIAN(CAST(CAST(late.order_date AS INT) - CAST(late.invoice_date AS INT) AS DECIMAL(12, 1))) AS median_days_late
FROM late
LEFT JOIN unified.purchase_orders o ON o.connection_id = late.connection_id AND o.id = late.order_id
LEFT JOIN unified.departments d ON d.connection_id = late.connection_id AND d.id = late.department_id
GROUP BY 1, 2, 3
ORDER BY value DESC NULLS LAST, department, requester, currency
LIMIT $top
