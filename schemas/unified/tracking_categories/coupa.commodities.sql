-- Commodities as tracking categories, if optional.csv says so.
SELECT
    concat('commodity:', CAST(c.id AS VARCHAR)) AS id,
    created_at,
    updated_at,
    CAST(created_by['id'] AS VARCHAR) AS created_by_id,
    CAST(updated_by['id'] AS VARCHAR) AS updated_by_id,
    CASE WHEN active THEN 'active' WHEN NOT active THEN 'archived' END AS status,
    CAST(active AS VARCHAR) AS remote_status,
    custom_fields,
    name,
    CAST(NULL AS VARCHAR) AS code,
    CAST(NULL AS VARCHAR) AS external_ref_num,
    'commodity' AS category_type,
    CASE
        WHEN coalesce(parent['id'], parent_id) IS NOT NULL THEN concat(
            'commodity:', CAST(coalesce(parent['id'], parent_id) AS VARCHAR)
        )
    END AS parent_category_id,
    parent['name'] AS parent_name,
    children_count > 0 AS has_children,
    CAST(NULL AS VARCHAR) AS company_id,
    CAST(NULL AS TINYINT) AS depth,
    CASE WHEN false THEN make_array(named_struct(
        'id', CAST(NULL AS VARCHAR),
        'name', CAST(NULL AS VARCHAR),
        'code', CAST(NULL AS VARCHAR),
        'status', CAST(NULL AS VARCHAR)
    )) END AS options,
    CAST(NULL AS DATE) AS start_date,
    CAST(NULL AS DATE) AS end_date,
    _lineage
FROM (SELECT 1 AS wanted FROM words.tracking_categories_optional WHERE category_type = 'commodity' AND enabled = 'true' LIMIT 1) AS optional
CROSS JOIN coupa.commodities AS c
