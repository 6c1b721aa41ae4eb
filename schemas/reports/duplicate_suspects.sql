-- Did we pay twice?
--
-- Pairs of live invoices of one supplier, currency and net whose numbers are the same but for case,
-- punctuation and leading zeros. The second of each pair is the suspect. Paid says whether both are.
--
-- Parameters
--   from date = year_ago: First day that counts.
--   to date = this_month: First day that does not count any more.
--   top int = 100: Rows at most.
WITH i AS (
    SELECT m.connection_id, m.invoice_id, m.invoice_number, m.invoice_date, m.vendor_id, m.currency, m.net,
           position('duplicate_suspect' IN m.flags) > 0 AS is_suspect, u.payment_status = 'paid' AS is_paid,
           regexp_replace(regexp_replace(upper(m.invoice_number), '[^A-Z0-9]', '', 'g'),
                          '(^|[A-Z])0+([0-9])', '\1\2', 'g') AS comparable
    FROM report.invoice_match m
    LEFT JOIN unified.invoices u ON u.connection_id = m.connection_id AND u.id = m.invoice_id
    WHERE m.backing <> 'excluded'
)
SELECT COALESCE(c.name, '(none)') AS supplier, b.invoice_number AS number, b.invoice_id AS invoice,
       b.invoice_date AS dated, a.invoice_number AS earlier_number, a.invoice_id AS earlier_invoice,
       a.invoice_date AS earlier_dated, b.currency, b.net,
       COALESCE(a.is_paid AND b.is_paid, FALSE) AS both_paid
FROM i b
JOIN i a ON a.connection_id = b.connection_id AND a.vendor_id = b.vendor_id AND a.comparable = b.comparable
        AND a.currency = b.currency AND a.net = b.net AND a.invoice_id <> b.invoice_id AND NOT a.is_suspect
LEFT JOIN unified.contacts c ON c.connection_id = b.connection_id AND c.id = b.vendor_id
WHERE b.is_suspect AND b.invoice_date >= $from AND b.invoice_date < $to
ORDER BY abs(b.net) DESC NULLS LAST, supplier, number, invoice
LIMIT $top
