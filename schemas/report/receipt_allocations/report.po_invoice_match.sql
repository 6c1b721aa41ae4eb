-- Pieces received and pieces billed laid on one line, each from the first to the last, and cut where either changes.
WITH done AS (
    SELECT id, purchase_order_line_id, original_receipt_id, transaction_date, quantity_effect
    FROM unified.receipts
    WHERE NOT is_deleted AND coalesce(status IN ('created', 'completed'), true) AND quantity_effect IS NOT NULL
),
-- A return or void takes from the receipt that it names, else from those that came last.
taken_back AS (
    SELECT original_receipt_id, sum(quantity_effect) AS quantity
    FROM done
    WHERE quantity_effect < 0 AND original_receipt_id IS NOT NULL
    GROUP BY original_receipt_id
),
kept AS (
    SELECT
        done.id,
        done.purchase_order_line_id,
        done.transaction_date,
        greatest(done.quantity_effect + coalesce(taken_back.quantity, 0), 0) AS quantity
    FROM done
    LEFT JOIN taken_back ON taken_back.original_receipt_id = done.id
    WHERE done.quantity_effect > 0
),
received AS (
    SELECT
        kept.*,
        net.quantity AS net,
        sum(kept.quantity) OVER (
            PARTITION BY kept.purchase_order_line_id
            ORDER BY kept.transaction_date NULLS LAST, TRY_CAST(kept.id AS BIGINT)
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS upto
    FROM kept
    JOIN (
        SELECT purchase_order_line_id, greatest(sum(quantity_effect), 0) AS quantity
        FROM done
        GROUP BY purchase_order_line_id
    ) AS net ON net.purchase_order_line_id = kept.purchase_order_line_id
),
billed AS (
    SELECT
        invoice_id,
        line_ordinal,
        invoice_line_id,
        order_line_id,
        invoice_date,
        CASE WHEN qty_consumed < 0 THEN -1 ELSE 1 END AS sign,
        greatest(cum_qty_invoiced, cum_qty_invoiced - qty_consumed) AS upto,
        abs(qty_consumed) AS quantity
    FROM report.po_invoice_match
    WHERE qty_consumed <> 0 AND match_level IN ('3-way-fifo', '3-way-direct', 'direct_matching')
),
cut AS (
    SELECT
        r.id AS receipt_id,
        b.invoice_id,
        b.line_ordinal,
        b.invoice_line_id,
        b.order_line_id,
        r.transaction_date,
        b.invoice_date,
        b.sign * (least(r.upto, r.net, b.upto) - greatest(r.upto - r.quantity, b.upto - b.quantity)) AS quantity,
        least(r.upto, r.net, b.upto) > greatest(r.upto - r.quantity, b.upto - b.quantity) AS meet
    FROM billed AS b
    JOIN received AS r ON r.purchase_order_line_id = b.order_line_id
)
SELECT receipt_id, invoice_id, line_ordinal, invoice_line_id, order_line_id, transaction_date, invoice_date, quantity
FROM cut
WHERE meet
