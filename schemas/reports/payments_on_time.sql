-- Are we paying on time?
--
-- Invoices paid in the period, by supplier and currency: how many and how much was paid by the due date, and
-- by how many days beyond terms the money went, weighted by amount. Invoices without a due date are not in it.
--
-- Parameters
--   from date = year_ago: First day that counts.
--   to date = this_month: First day that does not count any more.
--   top int = 50: Rows at most.
WITH p AS (
    SELECT vendor_name, currency, total_amount, paid_on_date <= due_date AS is_on_time,
           greatest(CAST(paid_on_date AS INT) - CAST(due_date AS INT), 0) AS days_late
    FROM unified.invoices
    WHERE paid_on_date >= $from AND paid_on_date < $to AND due_date IS NOT NULL
      AND status IN ('authorised', 'paid') AND total_amount > 0
)
SELECT COALESCE(vendor_name, '(none)') AS supplier, currency, COUNT(*) AS paid,
       COUNT(*) FILTER (WHERE is_on_time) AS on_time,
       divide_exact(COUNT(*) FILTER (WHERE is_on_time), COUNT(*)) AS on_time_rate,
       SUM(total_amount) AS paid_amount,
       COALESCE(SUM(total_amount) FILTER (WHERE is_on_time), 0) AS on_time_amount,
       divide_exact(COALESCE(SUM(total_amount) FILTER (WHERE is_on_time), 0), SUM(total_amount)) AS on_time_amount_rate,
       divide_exact(SUM(multiply_exact(total_amount, days_late)), SUM(total_amount)) AS days_beyond_terms
FROM p
GROUP BY 1, 2
ORDER BY paid_amount DESC NULLS LAST, supplier, currency
LIMIT $top
