-- How long is the tail?
--
-- Supplier groups with positive spend, largest first: the tail begins at the first group before which the
-- running share has reached the head's share (Pareto rule). Others call tail what is below a value. Handling
-- is the tail's invoices times the cost of one, where that is given.
--
-- Parameters
--   from date = year_ago: First day that counts.
--   to date = this_month: First day that does not count any more.
--   currency text = null: Only documents in this currency, in their own amounts; null is all, in the reporting currency.
--   head decimal = 0.8: Share of spend that the head holds.
--   invoice_cost decimal = null: What handling one invoice costs.
WITH s AS (
    SELECT vendor_key, invoice_id,
           CASE WHEN $currency IS NULL THEN amount ELSE amount_doc END AS spend
    FROM report.spend_lines
    WHERE state = 'counted' AND spend_date >= $from AND spend_date < $to
      AND ($currency IS NULL OR currency = $currency)
),
g AS (
    SELECT vendor_key, SUM(spend) AS spend, COUNT(DISTINCT invoice_id) AS invoices
    FROM s
    GROUP BY vendor_key
    HAVING SUM(spend) > 0
),
c AS (
    SELECT spend, invoices,
           divide_exact(SUM(spend) OVER (ORDER BY spend DESC NULLS LAST, vendor_key ROWS UNBOUNDED PRECEDING) - spend,
                        SUM(spend) OVER ()) >= $head AS is_tail
    FROM g
),
t AS (
    SELECT COUNT(*) AS suppliers, COUNT(*) FILTER (WHERE is_tail) AS tail_suppliers,
           SUM(spend) AS spend, COALESCE(SUM(spend) FILTER (WHERE is_tail), 0) AS tail_spend,
           COALESCE(SUM(invoices), 0) AS invoices,
           COALESCE(SUM(invoices) FILTER (WHERE is_tail), 0) AS tail_invoices
    FROM c
)
SELECT suppliers, tail_suppliers, divide_exact(tail_suppliers, suppliers) AS tail_supplier_share,
       spend, tail_spend, divide_exact(tail_spend, spend) AS tail_spend_share, invoices, tail_invoices,
       multiply_exact(tail_invoices, $invoice_cost) AS tail_handling
FROM t
