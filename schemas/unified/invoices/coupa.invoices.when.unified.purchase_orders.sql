-- Invoices that named an order before it was known: by its lines, or by its number.
WITH open_lines AS (
    SELECT CAST(id AS BIGINT) AS id, line['purchase_order_line_id'] AS order_line_id, line['po_number'] AS po_number
    FROM (SELECT id, unnest(line_items) AS line FROM unified.invoices)
    WHERE line['purchase_order_id'] IS NULL
)
SELECT open_lines.id
FROM (SELECT line['id'] AS id FROM (SELECT unnest(line_items) AS line FROM changed.purchase_orders)) AS known
JOIN open_lines ON open_lines.order_line_id = known.id
UNION
SELECT open_lines.id
FROM changed.purchase_orders AS known
JOIN open_lines ON open_lines.po_number = known.number
