-- Order lines with what was received and invoiced of them.
WITH received AS (
    SELECT
        purchase_order_line_id,
        sum(quantity_effect) AS quantity,
        sum(amount_effect) AS amount,
        max(transaction_date) AS last_date
    FROM unified.receipts
    WHERE NOT is_deleted AND coalesce(status IN ('created', 'completed'), true)
    GROUP BY purchase_order_line_id
),
invoiced AS (
    SELECT
        order_line_id,
        sum(line_net_po_ccy) AS amount,
        sum(qty_consumed) AS quantity,
        count(DISTINCT invoice_id) AS invoices,
        max(invoice_date) AS last_date,
        sum(CASE WHEN match_status = 'exception' THEN 1 ELSE 0 END) AS exceptions
    FROM report.po_invoice_match
    WHERE consumes
    GROUP BY order_line_id
),
line AS (
    SELECT
        pl.id,
        pl.purchase_order_id,
        p.number,
        pl.line_number,
        CASE
            WHEN pl.status = 'cancelled' OR p.is_deleted THEN 'cancelled'
            ELSE replace(status_key(p.remote_status), 'canceled', 'cancelled')
        END AS status,
        p.issue_date,
        p.vendor_id,
        pl.commodity_id,
        pl.department_id,
        pl.contract_id,
        coalesce(pl.currency, p.currency) AS currency,
        pl.type = 'amount' AS is_amount_line,
        pl.quantity,
        coalesce(pl.total_line_amount, 0) AS ordered,
        coalesce(pl.is_receipt_required, false) AS is_receipt_required
    FROM unified.purchase_order_lines AS pl
    JOIN unified.purchase_orders AS p ON p.id = pl.purchase_order_id
)
SELECT
    line.id AS order_line_id,
    line.purchase_order_id AS order_id,
    line.number AS po_number,
    line.line_number AS line_num,
    line.status,
    line.issue_date AS order_date,
    line.vendor_id,
    line.commodity_id,
    line.department_id,
    line.contract_id,
    line.currency,
    CASE WHEN NOT line.is_amount_line THEN line.quantity END AS ordered_qty,
    CASE WHEN NOT line.is_amount_line THEN coalesce(received.quantity, 0) END AS received_qty,
    CASE WHEN NOT line.is_amount_line THEN coalesce(invoiced.quantity, 0) END AS invoiced_qty,
    line.ordered AS ordered_amount,
    coalesce(received.amount, 0) AS received_amount,
    coalesce(invoiced.amount, 0) AS invoiced_amount,
    CASE
        WHEN line.status IN ('cancelled', 'closed') THEN CAST(0 AS DECIMAL(38, 9))
        ELSE greatest(line.ordered - coalesce(invoiced.amount, 0), 0)
    END AS open_commitment,
    greatest(coalesce(received.amount, 0) - coalesce(invoiced.amount, 0), 0) AS received_not_invoiced,
    CASE
        WHEN line.is_receipt_required
            THEN greatest(coalesce(invoiced.amount, 0) - coalesce(received.amount, 0), 0)
        ELSE CAST(0 AS DECIMAL(38, 9))
    END AS invoiced_not_received,
    received.last_date AS last_receipt_date,
    invoiced.last_date AS last_invoice_date,
    coalesce(invoiced.invoices, 0) AS invoices,
    coalesce(invoiced.exceptions, 0) AS exceptions
FROM line
LEFT JOIN received ON received.purchase_order_line_id = line.id
LEFT JOIN invoiced ON invoiced.order_line_id = line.id
