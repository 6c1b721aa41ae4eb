-- Coupa exchange rates to unified.exchange_rates.
SELECT
    CAST(id AS VARCHAR) AS id,
    created_at,
    updated_at,
    CAST(created_by['id'] AS VARCHAR) AS created_by_id,
    CAST(updated_by['id'] AS VARCHAR) AS updated_by_id,
    CAST(NULL AS VARCHAR) AS status,
    CAST(NULL AS VARCHAR) AS remote_status,
    custom_fields,
    from_currency['code'] AS from_currency,
    to_currency['code'] AS to_currency,
    rate,
    rate_date,
    _lineage
FROM coupa.exchange_rates
