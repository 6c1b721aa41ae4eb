-- Process
--
-- Never-held rate: invoices on orders none of whose lines is held now, of invoices on orders (with order lines
-- on all or some lines). The first status is not recorded, so what was held and put right counts as never
-- held. Exception rate: those with a held line, of the same.
-- Approval time: from the day an invoice was received (else dated) to its last approval, hours, median.
-- Invoice cycle time: to its payment, days, median. Requisition to order: from the submission of a requisition
-- to the order made of it, hours, median.
-- Receipts on time: order lines first received by the day they were needed, of order lines received that name
-- one.
-- Duplicate suspects: live invoices that look like an earlier one.
--
-- Parameters
--   from date = year_ago: First day that counts.
--   to date = this_month: First day that does not count any more.
WITH i AS (
    SELECT COUNT(*) FILTER (WHERE backing IN ('po', 'mixed')) AS on_orders,
           COUNT(*) FILTER (WHERE backing IN ('po', 'mixed') AND worst_status = 'exception') AS held,
           COUNT(*) FILTER (WHERE position('duplicate_suspect' IN flags) > 0) AS suspects
    FROM report.invoice_match
    WHERE backing <> 'excluded' AND invoice_date >= $from AND invoice_date < $to
),
approval AS (
    SELECT MEDIAN(CAST(date_part('epoch', a.approved_at)
               - date_part('epoch', CAST(COALESCE(i.received_date, i.issue_date) AS TIMESTAMP)) AS DECIMAL(20, 3))) AS seconds
    FROM unified.invoices i
    JOIN (SELECT connection_id, document_id, MAX(approved_at) AS approved_at
          FROM unified.approvals
          WHERE document_type = 'invoice' AND approved_at IS NOT NULL
          GROUP BY connection_id, document_id) a
      ON a.connection_id = i.connection_id AND a.document_id = i.id
    WHERE i.status IN ('authorised', 'paid') AND a.approved_at >= $from AND a.approved_at < $to
),
paid AS (
    SELECT MEDIAN(CAST(CAST(paid_on_date AS INT) - CAST(COALESCE(received_date, issue_date) AS INT) AS DECIMAL(20, 3))) AS days
    FROM unified.invoices
    WHERE status IN ('authorised', 'paid') AND paid_on_date >= $from AND paid_on_date < $to
),
ordered AS (
    SELECT MEDIAN(CAST(date_part('epoch', o.created_at) - date_part('epoch', r.submitted_at) AS DECIMAL(20, 3))) AS seconds
    FROM unified.purchase_orders o
    JOIN unified.purchase_order_requisitions r
      ON r.connection_id = o.connection_id AND r.id = o.requisition_id
    WHERE o.created_at >= $from AND o.created_at < $to AND r.submitted_at IS NOT NULL
),
received AS (
    SELECT COUNT(*) AS lines, COUNT(*) FILTER (WHERE r.first_day <= l.need_by_date) AS on_time
    FROM unified.purchase_order_lines l
    JOIN (SELECT connection_id, purchase_order_line_id, MIN(transaction_date) AS first_day
          FROM unified.receipts
          WHERE NOT is_void AND direction > 0
          GROUP BY connection_id, purchase_order_line_id) r
      ON r.connection_id = l.connection_id AND r.purchase_order_line_id = l.id
    WHERE l.need_by_date IS NOT NULL AND r.first_day >= $from AND r.first_day < $to
),
ratios AS (
    SELECT 1 AS place, 'Never-held rate' AS kpi, CAST(on_orders - held AS DECIMAL(38, 9)) AS numerator, CAST(on_orders AS DECIMAL(38, 9)) AS denominator FROM i
    UNION ALL SELECT 2, 'Exception rate', CAST(held AS DECIMAL(38, 9)), CAST(on_orders AS DECIMAL(38, 9)) FROM i
    UNION ALL SELECT 6, 'Receipts on time', CAST(on_time AS DECIMAL(38, 9)), CAST(lines AS DECIMAL(38, 9)) FROM received
),
rows AS (
    SELECT place, kpi, 'share' AS unit, divide_exact(numerator, denominator) AS value, numerator, denominator FROM ratios
    UNION ALL SELECT 3, 'Approval time', 'hours', divide_exact(seconds, 3600), NULL, NULL FROM approval
    UNION ALL SELECT 4, 'Invoice cycle time', 'days', CAST(days AS DECIMAL(38, 9)), NULL, NULL FROM paid
    UNION ALL SELECT 5, 'Requisition to order', 'hours', divide_exact(seconds, 3600), NULL, NULL FROM ordered
    UNION ALL SELECT 7, 'Duplicate suspects', 'count', CAST(suspects AS DECIMAL(38, 9)), NULL, NULL FROM i
)
SELECT kpi, unit, value, numerator, denominator FROM rows ORDER BY place
