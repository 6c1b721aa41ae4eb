-- Credit notes whose original invoice came, changed or went: by what they name, or by what they were tied to.
SELECT credit_note.id
FROM (SELECT supplier['id'] AS supplier_id, invoice_number FROM changed.invoices) AS original
JOIN (
    SELECT id, supplier['id'] AS supplier_id, original_invoice_number
    FROM coupa.invoices
    WHERE non_blank(original_invoice_number) IS NOT NULL
) AS credit_note
    ON credit_note.supplier_id = original.supplier_id
    AND credit_note.original_invoice_number = original.invoice_number
UNION
SELECT CAST(credit_note.id AS BIGINT) AS id
FROM (SELECT CAST(id AS VARCHAR) AS id FROM changed.invoices) AS original
JOIN unified.invoices AS credit_note ON credit_note.original_invoice_id = original.id
