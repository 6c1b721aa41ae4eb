-- Accounts of a chart of accounts that changed.
SELECT account.id
FROM changed.account_types AS chart
JOIN (SELECT id, coalesce(account_type['id'], account_type_id) AS chart_id FROM coupa.accounts) AS account
    ON account.chart_id = chart.id
