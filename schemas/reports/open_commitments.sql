-- What have we committed but not been billed?
--
-- Order lines that are open: ordered and not yet invoiced, and received and not yet invoiced (the accrual), by
-- the order's age in days and currency. Stale is the open part of lines that nothing has happened to for 90
-- days: no order, receipt or invoice.
--
-- Parameters
--   on date = today: The day on which it is asked.
WITH p AS (
    SELECT order_id, currency, open_commitment, received_not_invoiced,
           CAST($on AS INT) - CAST(order_date AS INT) AS age,
           CAST($on AS INT) - CAST(greatest(order_date, last_receipt_date, last_invoice_date) AS INT) AS still
    FROM report.po_line_position
    WHERE open_commitment <> 0 OR received_not_invoiced <> 0
)
SELECT CASE WHEN age <= 30 THEN '0-30' WHEN age <= 90 THEN '31-90' WHEN age <= 180 THEN '91-180'
            WHEN age <= 365 THEN '181-365' ELSE 'over 365' END AS age_days, currency,
       COUNT(DISTINCT order_id) AS orders, COUNT(*) AS lines, SUM(open_commitment) AS open_commitment,
       SUM(received_not_invoiced) AS received_not_invoiced,
       SUM(CASE WHEN still > 90 THEN open_commitment ELSE 0 END) AS stale
FROM p
GROUP BY 1, 2
ORDER BY MIN(age), currency
