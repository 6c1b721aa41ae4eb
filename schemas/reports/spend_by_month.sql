-- Spend by month and channel
--
-- Counted spend (invoices approved or paid, approved expenses) by the month of the invoice or expense, net of
-- tax, credits subtracted. The channel says how it was bought: on an order, on a contract, without either, as
-- an expense or with a card.
--
-- Parameters
--   from date = year_ago: First day that counts.
--   to date = this_month: First day that does not count any more.
--   currency text = null: Only documents in this currency, in their own amounts; null is all, in the reporting currency.
WITH s AS (
    SELECT channel, spend_date,
           CASE WHEN $currency IS NULL THEN amount ELSE amount_doc END AS spend
    FROM report.spend_lines
    WHERE state = 'counted' AND spend_date >= $from AND spend_date < $to
      AND ($currency IS NULL OR currency = $currency)
)
SELECT to_char(spend_date, '%Y-%m') AS month, channel, SUM(spend) AS spend, COUNT(*) AS lines
FROM s
GROUP BY 1, 2
ORDER BY 1, 2
