-- Coupa departments to unified.departments.
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
    _lineage
FROM coupa.departments
