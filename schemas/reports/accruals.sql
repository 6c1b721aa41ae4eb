-- What was received but not billed?
--
-- Received and not yet invoiced, by supplier and currency: what to accrue. Oldest is the days since the latest
-- receipt of the line that has waited longest.
--
-- Parameters
--   on date = today: The day on which it is asked.
--   top int = 50: Rows at most.
SELECT COALESCE(c.name, '(none)') AS supplier, p.currency, COUNT(*) AS lines,
       SUM(p.received_not_invoiced) AS received_not_invoiced,
       CAST($on AS INT) - CAST(MIN(p.last_receipt_date) AS INT) AS oldest_days
FROM report.po_line_position p
LEFT JOIN unified.contacts c ON c.connection_id = p.connection_id AND c.id = p.vendor_id
WHERE p.received_not_invoiced > 0
GROUP BY 1, 2
ORDER BY received_not_invoiced DESC NULLS LAST, supplier, currency
LIMIT $top
