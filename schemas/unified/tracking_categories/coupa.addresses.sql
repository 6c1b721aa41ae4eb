-- The company's addresses as tracking categories, if optional.csv says so.
SELECT
    concat('location:', CAST(a.id AS VARCHAR)) AS id,
    created_at,
    updated_at,
    CAST(created_by['id'] AS VARCHAR) AS created_by_id,
    CAST(updated_by['id'] AS VARCHAR) AS updated_by_id,
    CASE WHEN active THEN 'active' WHEN NOT active THEN 'archived' END AS status,
    CAST(active AS VARCHAR) AS remote_status,
    custom_fields,
    name,
    location_code AS code,
    CAST(NULL AS VARCHAR) AS external_ref_num,
    'location' AS category_type,
    CAST(NULL AS VARCHAR) AS parent_category_id,
    CAST(NULL AS VARCHAR) AS parent_name,
    false AS has_children,
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
FROM (SELECT 1 AS wanted FROM words.tracking_categories_optional WHERE category_type = 'location' AND enabled = 'true' LIMIT 1) AS optional
CROSS JOIN coupa.addresses AS a
