-- every invoice line has one row, and the rows of an invoice sum to its lines, credits signed
SELECT concat('invoice ', invoice_id) AS subject, sum(lines) AS lines_too_many, sum(net) AS net_too_much
FROM (
    SELECT invoice_id, 1 AS lines, line_net AS net FROM report.po_invoice_match
    UNION ALL
    SELECT
        l.invoice_id,
        -1,
        -CASE
            WHEN i.document_type = 'credit_note' THEN -abs(coalesce(l.total_line_amount, 0))
            ELSE coalesce(l.total_line_amount, 0)
        END
    FROM unified.invoice_lines AS l
    LEFT JOIN unified.invoices AS i ON i.id = l.invoice_id
)
GROUP BY invoice_id
HAVING sum(lines) <> 0 OR sum(net) <> 0
