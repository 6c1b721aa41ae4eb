-- Order lines of the same supplier and currency that are still open, for invoice lines tied to none.
WITH loose AS (
    SELECT
        m.invoice_id, m.line_ordinal, m.invoice_line_id, m.vendor_id, m.currency, m.invoice_date, m.line_net,
        l.item_id, lower(non_blank(l.description)) AS description, l.type, l.unit_price,
        lower(non_blank(l.po_number)) AS po_number
    FROM report.po_invoice_match AS m
    JOIN unified.invoice_lines AS l ON l.invoice_id = m.invoice_id AND l.ordinal = m.line_ordinal
    WHERE m.match_status IN ('unbacked', 'contract_backed') AND m.line_net > 0 AND m.vendor_id IS NOT NULL
),
ordered AS (
    SELECT
        p.order_line_id, p.order_id, p.vendor_id, p.currency, p.order_date, p.open_commitment,
        l.item_id, lower(non_blank(l.description)) AS description, l.type, l.unit_price, l.total_line_amount,
        lower(p.po_number) AS po_number
    FROM report.po_line_position AS p
    JOIN unified.purchase_order_lines AS l
        ON l.id = p.order_line_id AND l.purchase_order_id = p.order_id
    WHERE p.open_commitment > 0
),
-- One kind of evidence finds the pairs, so that no line is held against all orders of its supplier.
pair AS (
    SELECT a.invoice_id, a.line_ordinal, b.order_line_id
    FROM loose AS a
    JOIN ordered AS b
        ON b.vendor_id = a.vendor_id AND b.currency = a.currency AND b.open_commitment = a.line_net
    UNION
    SELECT a.invoice_id, a.line_ordinal, b.order_line_id
    FROM loose AS a
    JOIN ordered AS b ON b.vendor_id = a.vendor_id AND b.currency = a.currency AND b.item_id = a.item_id
    UNION
    SELECT a.invoice_id, a.line_ordinal, b.order_line_id
    FROM loose AS a
    JOIN ordered AS b
        ON b.vendor_id = a.vendor_id AND b.currency = a.currency AND b.description = a.description
    UNION
    SELECT a.invoice_id, a.line_ordinal, b.order_line_id
    FROM loose AS a
    JOIN ordered AS b ON b.vendor_id = a.vendor_id AND b.currency = a.currency AND b.po_number = a.po_number
),
spoken AS (
    SELECT
        a.*,
        b.order_line_id,
        b.order_id,
        b.open_commitment,
        coalesce(b.open_commitment IN (a.line_net), false) AS same_amount,
        coalesce(b.item_id IN (a.item_id), false) AS same_item,
        coalesce(b.description IN (a.description), false) AS same_description,
        coalesce(a.type IN ('quantity') AND b.unit_price IN (a.unit_price), false) AS same_price,
        coalesce(b.po_number IN (a.po_number), false) AS same_number,
        coalesce(b.order_date <= a.invoice_date, false) AS ordered_before
    FROM pair
    JOIN loose AS a ON a.invoice_id = pair.invoice_id AND a.line_ordinal = pair.line_ordinal
    JOIN ordered AS b ON b.order_line_id = pair.order_line_id
),
scored AS (
    SELECT
        *,
        CASE WHEN same_amount THEN 3 ELSE 0 END + CASE WHEN same_item THEN 3 ELSE 0 END
            + CASE WHEN same_description THEN 2 ELSE 0 END + CASE WHEN same_price THEN 2 ELSE 0 END
            + CASE WHEN same_number THEN 2 ELSE 0 END + CASE WHEN ordered_before THEN 1 ELSE 0 END AS score
    FROM spoken
)
SELECT
    invoice_id,
    line_ordinal,
    invoice_line_id,
    order_line_id,
    order_id,
    CAST(place AS BIGINT) AS place,
    score,
    concat(
        CASE WHEN same_amount THEN 'same amount;' ELSE '' END,
        CASE WHEN same_item THEN 'same item;' ELSE '' END,
        CASE WHEN same_description THEN 'same description;' ELSE '' END,
        CASE WHEN same_price THEN 'same price;' ELSE '' END,
        CASE WHEN same_number THEN 'same order number;' ELSE '' END,
        CASE WHEN ordered_before THEN 'ordered before;' ELSE '' END
    ) AS evidence,
    line_net,
    open_commitment
FROM (
    SELECT
        *,
        row_number() OVER (
            PARTITION BY invoice_id, line_ordinal
            ORDER BY score DESC, TRY_CAST(order_line_id AS BIGINT), order_line_id
        ) AS place
    FROM scored
)
WHERE place <= 3
