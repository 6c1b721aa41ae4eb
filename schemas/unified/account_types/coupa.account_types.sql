-- Coupa charts of accounts to unified.account_types.
SELECT
    CAST(id AS VARCHAR) AS id,
    created_at,
    updated_at,
    CAST(created_by['id'] AS VARCHAR) AS created_by_id,
    CAST(updated_by['id'] AS VARCHAR) AS updated_by_id,
    CASE WHEN active THEN 'active' WHEN NOT active THEN 'archived' END AS status,
    CAST(active AS VARCHAR) AS remote_status,
    custom_fields,
    name,
    legal_entity_name,
    currency['code'] AS currency,
    dynamic_flag AS is_dynamic,
    _lineage
FROM coupa.account_types
