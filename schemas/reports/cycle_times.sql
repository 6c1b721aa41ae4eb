-- How fast are we, and where does it wait?
--
-- Time from requisition to order, from order to first receipt, from invoice received (else dated) to the last
-- approval, and to payment: calendar days, half of the cases done in the median, nine of ten in p90 (nearest
-- rank). For all, by department and by supplier; a group needs three cases.
--
-- Parameters
--   from date = year_ago: First day that counts.
--   to date = this_month: First day that does not count any more.
WITH d AS (
    SELECT 'requisition to order' AS measure, r.department_name AS department, o.vendor_name AS supplier,
           CAST(date_part('epoch', o.created_at) - date_part('epoch', r.submitted_at) AS DECIMAL(20, 3)) AS seconds
    FROM unified.purchase_orders o
    JOIN unified.purchase_order_requisitions r
      ON r.connection_id = o.connection_id AND r.id = o.requisition_id
    WHERE o.created_at >= $from AND o.created_at < $to AND r.submitted_at IS NOT NULL
    UNION ALL
    SELECT 'invoice received to approved', NULL, i.vendor_name,
           CAST(date_part('epoch', a.approved_at)
                - date_part('epoch', CAST(COALESCE(i.received_date, i.issue_date) AS TIMESTAMP)) AS DECIMAL(20, 3))
    FROM unified.invoices i
    JOIN (SELECT connection_id, document_id, MAX(approved_at) AS approved_at
          FROM unified.approvals
          WHERE document_type = 'invoice' AND approved_at IS NOT NULL
          GROUP BY connection_id, document_id) a
      ON a.connection_id = i.connection_id AND a.document_id = i.id
    WHERE i.status IN ('authorised', 'paid') AND a.approved_at >= $from AND a.approved_at < $to
    UNION ALL
    SELECT 'order to first receipt', NULL, o.vendor_name,
           CAST((CAST(f.first_day AS INT) - CAST(CAST(o.created_at AS DATE) AS INT)) * 86400 AS DECIMAL(20, 3))
    FROM unified.purchase_orders o
    JOIN (SELECT connection_id, purchase_order_id, MIN(transaction_date) AS first_day
          FROM unified.receipts
          WHERE NOT is_void AND direction > 0
          GROUP BY connection_id, purchase_order_id) f
      ON f.connection_id = o.connection_id AND f.purchase_order_id = o.id
    WHERE f.first_day >= $from AND f.first_day < $to
    UNION ALL
    SELECT 'invoice received to paid', NULL, vendor_name,
           CAST((CAST(paid_on_date AS INT) - CAST(COALESCE(received_date, issue_date) AS INT)) * 86400 AS DECIMAL(20, 3))
    FROM unified.invoices
    WHERE status IN ('authorised', 'paid') AND paid_on_date >= $from AND paid_on_date < $to
),
grouped AS (
    SELECT measure, 'all' AS of, 'all' AS name, seconds FROM d
    UNION ALL
    SELECT measure, 'department', department, seconds FROM d WHERE department IS NOT NULL
    UNION ALL
    SELECT measure, 'supplier', supplier, seconds FROM d WHERE supplier IS NOT NULL
),
placed AS (
    SELECT measure, of, name, seconds,
           ROW_NUMBER() OVER (PARTITION BY measure, of, name ORDER BY seconds) AS place,
           COUNT(*) OVER (PARTITION BY measure, of, name) AS cases
    FROM grouped
    WHERE seconds IS NOT NULL
)
SELECT measure, of, name, COUNT(*) AS cases,
       round_half_even(divide_exact(MEDIAN(seconds), 86400)) AS median_days,
       divide_exact(MIN(CASE WHEN place * 10 >= cases * 9 THEN seconds END), 86400) AS p90_days
FROM placed
WHERE of = 'all' OR cases >= 3
GROUP BY measure, of, name
ORDER BY measure, of, median_days DESC NULLS LAST, name
