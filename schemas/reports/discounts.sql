-- Which discounts do we leave?
--
-- Invoices dated in the period whose payment term offers a discount: offered is the rate times the invoice's
-- total; taken where it was paid by the day for at most the total less the discount; missed is the rest. The
-- return is what a year of paying that early would yield: d / (1 - d) x 365 / (net days - discount days).
--
-- Parameters
--   from date = year_ago: First day that counts.
--   to date = this_month: First day that does not count any more.
--   top int = 50: Rows at most.
WITH i AS (
    SELECT i.vendor_name, i.currency, t.code AS term, t.discount_rate, t.net_days, t.discount_days,
           multiply_exact(i.total_amount, divide_exact(t.discount_rate, 100)) AS offered,
           i.paid_on_date <= COALESCE(i.discount_due_date, i.issue_date + t.discount_days)
             AND i.amount_paid <= i.total_amount
                 - multiply_exact(i.total_amount, divide_exact(t.discount_rate, 100)) + 0.01 AS is_taken
    FROM unified.invoices i
    JOIN unified.payment_terms t ON t.connection_id = i.connection_id AND t.id = i.payment_term_id
    WHERE t.discount_rate > 0 AND i.issue_date >= $from AND i.issue_date < $to
      AND i.status IN ('authorised', 'paid') AND i.total_amount > 0
)
SELECT COALESCE(vendor_name, '(none)') AS supplier, currency, term, COUNT(*) AS invoices, SUM(offered) AS offered,
       COALESCE(SUM(offered) FILTER (WHERE is_taken), 0) AS taken,
       SUM(offered) - COALESCE(SUM(offered) FILTER (WHERE is_taken), 0) AS missed,
       divide_exact(COALESCE(SUM(offered) FILTER (WHERE is_taken), 0), SUM(offered)) AS capture_rate,
       divide_exact(MAX(discount_rate) * 365,
                    (100 - MAX(discount_rate)) * (MAX(net_days) - MAX(discount_days))) AS yearly_return_rate
FROM i
GROUP BY 1, 2, 3
ORDER BY missed DESC NULLS LAST, supplier, currency, term
LIMIT $top
