-- Look-up values, the options of look-ups, as tracking categories.
SELECT
    concat('lookup_value:', CAST(id AS VARCHAR)) AS id,
    created_at,
    updated_at,
    CAST(created_by['id'] AS VARCHAR) AS created_by_id,
    CAST(updated_by['id'] AS VARCHAR) AS updated_by_id,
    CASE WHEN active THEN 'active' WHEN NOT active THEN 'archived' END AS status,
    CAST(active AS VARCHAR) AS remote_status,
    custom_fields,
    name,
    external_ref_code AS code,
    external_ref_num,
    'lookup' AS category_type,
    CASE
        WHEN coalesce(parent_id, parent['id']) IS NOT NULL
            THEN concat('lookup_value:', CAST(coalesce(parent_id, parent['id']) AS VARCHAR))
        WHEN coalesce(lookup_id, lookup['id']) IS NOT NULL
            THEN concat('lookup:', CAST(coalesce(lookup_id, lookup['id']) AS VARCHAR))
    END AS parent_category_id,
    CASE
        WHEN coalesce(parent_id, parent['id']) IS NOT NULL THEN parent['name']
        ELSE lookup['name']
    END AS parent_name,
    children_count > 0 AS has_children,
    CAST(account_type['id'] AS VARCHAR) AS company_id,
    TRY_CAST(depth AS TINYINT) AS depth,
    CASE WHEN false THEN make_array(named_struct(
        'id', CAST(NULL AS VARCHAR),
        'name', CAST(NULL AS VARCHAR),
        'code', CAST(NULL AS VARCHAR),
        'status', CAST(NULL AS VARCHAR)
    )) END AS options,
    CAST(NULL AS DATE) AS start_date,
    CAST(NULL AS DATE) AS end_date,
    _lineage
FROM coupa.lookup_values
