-- What did we overpay against our own orders?
--
-- Of invoice lines billed above the order's price: the price difference times the quantity, in the order's
-- currency, without what an exchange rate's change makes. The rate is that of the value at the ordered price.
-- By supplier and item.
--
-- Parameters
--   from date = year_ago: First day that counts.
--   to date = this_month: First day that does not count any more.
--   top int = 50: Rows at most.
WITH over AS (
    SELECT m.connection_id, m.vendor_id, m.order_line_id, m.po_currency AS currency, m.price_variance,
           multiply_exact(m.po_price, m.qty_consumed) AS ordered
    FROM report.po_invoice_match m
    WHERE m.price_variance > 0 AND m.consumes AND m.match_status <> 'excluded'
      AND m.invoice_date >= $from AND m.invoice_date < $to
)
SELECT COALESCE(c.name, '(none)') AS supplier, COALESCE(l.name, l.description, '(none)') AS item, over.currency,
       COUNT(*) AS lines, SUM(over.price_variance) AS overpaid, SUM(over.ordered) AS at_ordered_price,
       divide_exact(SUM(over.price_variance), SUM(over.ordered)) AS overpaid_rate
FROM over
LEFT JOIN unified.contacts c ON c.connection_id = over.connection_id AND c.id = over.vendor_id
LEFT JOIN unified.purchase_order_lines l ON l.connection_id = over.connection_id AND l.id = over.order_line_id
GROUP BY 1, 2, 3
ORDER BY overpaid DESC NULLS LAST, supplier, item, currency
LIMIT $top
