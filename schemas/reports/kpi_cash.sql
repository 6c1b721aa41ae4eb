-- Cash
--
-- Of a currency. Days payable: from invoice date to payment, weighted by amount, of invoices paid in the
-- period. On-time payment: paid by the due date, of paid invoices that have one; by value likewise. Days
-- beyond terms: from due date to payment, weighted by amount, early ones as zero.
-- Open commitment: ordered and not yet invoiced. Accrual: received and not yet invoiced. Payables: approved
-- and not yet paid. These three are as the tables stand now.
--
-- Parameters
--   from date = year_ago: First day that counts.
--   to date = this_month: First day that does not count any more.
WITH p AS (
    SELECT currency, total_amount, due_date, paid_on_date,
           CAST(paid_on_date AS INT) - CAST(issue_date AS INT) AS days,
           greatest(CAST(paid_on_date AS INT) - CAST(due_date AS INT), 0) AS late
    FROM unified.invoices
    WHERE paid_on_date >= $from AND paid_on_date < $to AND status IN ('authorised', 'paid') AND total_amount > 0
),
g AS (
    SELECT currency, SUM(total_amount) AS paid, SUM(multiply_exact(total_amount, days)) AS weighted,
           COUNT(due_date) AS due, COUNT(*) FILTER (WHERE paid_on_date <= due_date) AS on_time,
           COALESCE(SUM(total_amount) FILTER (WHERE due_date IS NOT NULL), 0) AS due_amount,
           COALESCE(SUM(total_amount) FILTER (WHERE paid_on_date <= due_date), 0) AS on_time_amount,
           COALESCE(SUM(multiply_exact(total_amount, late)), 0) AS late_weighted
    FROM p
    GROUP BY currency
),
o AS (
    SELECT currency, SUM(open_commitment) AS open_commitment, SUM(received_not_invoiced) AS accrual
    FROM report.po_line_position
    GROUP BY currency
),
b AS (
    SELECT currency, SUM(balance) AS balance
    FROM unified.invoices
    WHERE status = 'authorised' AND COALESCE(payment_status, 'unpaid') <> 'paid'
    GROUP BY currency
),
rows AS (
    SELECT 1 AS place, currency, 'Days payable' AS kpi, 'days' AS unit, divide_exact(weighted, paid) AS value,
           CAST(weighted AS DECIMAL(38, 9)) AS numerator, CAST(paid AS DECIMAL(38, 9)) AS denominator FROM g
    UNION ALL SELECT 2, currency, 'On-time payment', 'share', divide_exact(on_time, due), CAST(on_time AS DECIMAL(38, 9)), CAST(due AS DECIMAL(38, 9)) FROM g
    UNION ALL SELECT 3, currency, 'On-time payment by value', 'share', divide_exact(on_time_amount, due_amount),
                     CAST(on_time_amount AS DECIMAL(38, 9)), CAST(due_amount AS DECIMAL(38, 9)) FROM g
    UNION ALL SELECT 4, currency, 'Days beyond terms', 'days', divide_exact(late_weighted, due_amount),
                     CAST(late_weighted AS DECIMAL(38, 9)), CAST(due_amount AS DECIMAL(38, 9)) FROM g
    UNION ALL SELECT 5, currency, 'Open commitment', currency AS unit, CAST(open_commitment AS DECIMAL(38, 9)), NULL, NULL FROM o
    UNION ALL SELECT 6, currency, 'Accrual', currency AS unit, CAST(accrual AS DECIMAL(38, 9)), NULL, NULL FROM o
    UNION ALL SELECT 7, currency, 'Payables', currency AS unit, CAST(balance AS DECIMAL(38, 9)), NULL, NULL FROM b
)
SELECT kpi || ' (' || COALESCE(currency, '?') || ')' AS kpi, unit, value, numerator, denominator
FROM rows
ORDER BY place, currency
