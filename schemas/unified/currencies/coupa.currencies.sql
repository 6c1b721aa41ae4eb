-- Coupa currencies to unified.currencies.
SELECT
    CAST(id AS VARCHAR) AS id,
    created_at,
    updated_at,
    CAST(created_by['id'] AS VARCHAR) AS created_by_id,
    CAST(updated_by['id'] AS VARCHAR) AS updated_by_id,
    CASE
        WHEN coalesce(enabled_flag, enabled) THEN 'active'
        WHEN NOT coalesce(enabled_flag, enabled) THEN 'archived'
    END AS status,
    CAST(coalesce(enabled_flag, enabled) AS VARCHAR) AS remote_status,
    custom_fields,
    code,
    name,
    symbol,
    TRY_CAST(decimals AS TINYINT) AS decimals,
    _lineage
FROM coupa.currencies
