-- Requisitions whose rate of the day came or changed.
SELECT CAST(requisition.id AS BIGINT) AS id
FROM (
    SELECT from_currency['code'] AS from_code, to_currency['code'] AS to_code, min(rate_date) AS first_date
    FROM changed.exchange_rates
    GROUP BY from_currency['code'], to_currency['code']
) AS rate
JOIN unified.purchase_order_requisitions AS requisition
    ON requisition.currency = rate.from_code
    AND requisition.accounting_currency = rate.to_code
    AND requisition.issue_date >= rate.first_date
