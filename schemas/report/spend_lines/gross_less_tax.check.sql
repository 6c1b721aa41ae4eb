-- the spend of an invoice that is due is its gross amount less its tax, give or take a cent for each row
SELECT concat('invoice ', i.id) AS subject, s.amount_doc, i.total_amount, i.total_tax_amount
FROM (
    SELECT
        id,
        total_amount,
        total_tax_amount,
        total_amount - coalesce(total_tax_amount, 0) AS net,
        (document_type IS NOT DISTINCT FROM 'credit_note') AS is_credit
    FROM unified.invoices
    WHERE status IN ('authorised', 'paid', 'submitted') AND NOT is_deleted AND total_amount IS NOT NULL
) AS i
LEFT JOIN (
    SELECT invoice_id, sum(amount_doc) AS amount_doc, count(*) AS parts
    FROM report.spend_lines
    WHERE invoice_id IS NOT NULL
    GROUP BY invoice_id
) AS s ON s.invoice_id = i.id
WHERE abs(coalesce(s.amount_doc, 0) - CASE WHEN i.is_credit THEN -abs(i.net) ELSE i.net END) * 100
    > greatest(coalesce(s.parts, 1), 1)
