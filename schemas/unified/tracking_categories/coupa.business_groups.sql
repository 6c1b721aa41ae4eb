-- Content groups as tracking categories.
SELECT
    concat('content_group:', CAST(id AS VARCHAR)) AS id,
    created_at,
    updated_at,
    CAST(created_by['id'] AS VARCHAR) AS created_by_id,
    CAST(updated_by['id'] AS VARCHAR) AS updated_by_id,
    CAST(NULL AS VARCHAR) AS status,
    CAST(NULL AS VARCHAR) AS remote_status,
    custom_fields,
    name,
    CAST(NULL AS VARCHAR) AS code,
    CAST(NULL AS VARCHAR) AS external_ref_num,
    'content_group' AS category_type,
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
FROM coupa.business_groups
