-- Which invoices do not match, and why?
--
-- Invoice lines that are held, by flag and supplier; a line with two flags stands under both. At stake is the
-- net of the lines, in the invoice's currency. Oldest is the days from the oldest of their invoices to the end
-- of the period. Credited counts lines whose order line has a later credit.
--
-- Parameters
--   from date = year_ago: First day that counts.
--   to date = this_month: First day that does not count any more.
--   top int = 50: Rows at most.
WITH held AS (
    SELECT connection_id, invoice_id, order_line_id, invoice_date, vendor_id, currency, line_net,
           unnest(string_to_array(rtrim(flags, ';'), ';')) AS flag
    FROM report.po_invoice_match
    WHERE match_status = 'exception' AND invoice_date >= $from AND invoice_date < $to
),
credit AS (
    SELECT connection_id, order_line_id, MAX(invoice_date) AS invoice_date
    FROM report.po_invoice_match
    WHERE line_net < 0 AND match_status <> 'excluded' AND order_line_id IS NOT NULL
    GROUP BY connection_id, order_line_id
)
SELECT held.flag, COALESCE(c.name, '(none)') AS supplier, held.currency, COUNT(*) AS lines,
       COUNT(DISTINCT held.invoice_id) AS invoices, SUM(held.line_net) AS at_stake,
       CAST($to AS INT) - CAST(MIN(held.invoice_date) AS INT) AS oldest_days,
       COUNT(credit.order_line_id) AS credited
FROM held
LEFT JOIN credit ON credit.connection_id = held.connection_id AND credit.order_line_id = held.order_line_id
                AND credit.invoice_date > held.invoice_date
LEFT JOIN unified.contacts c ON c.connection_id = held.connection_id AND c.id = held.vendor_id
GROUP BY 1, 2, 3
ORDER BY at_stake DESC NULLS LAST, flag, supplier, currency
LIMIT $top
