-- Requisitions of a chart of accounts whose name or currency changed.
SELECT CAST(requisition.id AS BIGINT) AS id
FROM (SELECT CAST(id AS VARCHAR) AS id, name, currency['code'] AS currency FROM changed.account_types) AS chart
JOIN unified.purchase_order_requisitions AS requisition ON requisition.company_id = chart.id
WHERE (requisition.accounting_currency IS DISTINCT FROM chart.currency)
    OR (requisition.company_name IS DISTINCT FROM chart.name)
