-- Coupa commodities to unified.commodities.
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
    translated_name,
    category,
    subcategory,
    deductibility,
    preferred,
    CAST(coalesce(parent['id'], parent_id) AS VARCHAR) AS parent_id,
    parent['name'] AS parent_name,
    children_count > 0 AS has_children,
    imported_from_taxonomy AS is_from_taxonomy,
    _lineage
FROM coupa.commodities
