-- the allocations of an invoice line sum to the line, and the charges of an invoice to its charges
SELECT subject, sum(amount) AS too_much
FROM (
    SELECT
        CASE
            WHEN invoice_line_id IS NOT NULL THEN concat('invoice line ', invoice_line_id)
            ELSE concat('charges of invoice ', invoice_id)
        END AS subject,
        amount_doc AS amount
    FROM report.spend_lines
    WHERE invoice_id IS NOT NULL
    UNION ALL
    SELECT concat('invoice line ', invoice_line_id), -line_net FROM report.po_invoice_match
    UNION ALL
    SELECT concat('charges of invoice ', invoice_id), -charges FROM report.invoice_match
)
GROUP BY subject
HAVING sum(amount) <> 0
