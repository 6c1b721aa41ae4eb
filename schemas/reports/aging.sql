-- What do we owe, and since when?
--
-- Approved invoices that are not paid, by days beyond the due date and currency: what remains to be paid,
-- credits subtracted.
--
-- Parameters
--   on date = today: The day on which it is asked.
WITH i AS (
    SELECT currency, balance, CAST($on AS INT) - CAST(due_date AS INT) AS late
    FROM unified.invoices
    WHERE status = 'authorised' AND COALESCE(payment_status, 'unpaid') <> 'paid' AND balance <> 0
      AND issue_date <= $on
)
SELECT CASE WHEN late IS NULL THEN 'no due date' WHEN late <= 0 THEN 'not due' WHEN late <= 30 THEN '1-30'
            WHEN late <= 60 THEN '31-60' WHEN late <= 90 THEN '61-90' ELSE 'over 90' END AS days_overdue,
       currency, COUNT(*) AS invoices, SUM(balance) AS balance
FROM i
GROUP BY 1, 2
ORDER BY MIN(COALESCE(late, -100000)), currency
