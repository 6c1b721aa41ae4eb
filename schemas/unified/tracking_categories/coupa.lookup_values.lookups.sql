-- Look-ups, each made of its values: Coupa answers no list of look-ups.
SELECT
    concat('lookup:', CAST(lookup_key AS VARCHAR)) AS id,
    min(created_at) AS created_at,
    max(updated_at) AS updated_at,
    CAST(NULL AS VARCHAR) AS created_by_id,
    CAST(NULL AS VARCHAR) AS updated_by_id,
    CASE WHEN bool_or(active) THEN 'active' WHEN NOT bool_or(active) THEN 'archived' END AS status,
    CAST(bool_or(active) AS VARCHAR) AS remote_status,
    CASE WHEN false THEN first_value(custom_fields) END AS custom_fields,
    max(lookup['name']) AS name,
    CAST(NULL AS VARCHAR) AS code,
    CAST(NULL AS VARCHAR) AS external_ref_num,
    'lookup' AS category_type,
    CAST(NULL AS VARCHAR) AS parent_category_id,
    CAST(NULL AS VARCHAR) AS parent_name,
    true AS has_children,
    CASE
        WHEN min(account_type['id']) = max(account_type['id']) AND count(account_type['id']) = count(*)
            THEN CAST(min(account_type['id']) AS VARCHAR)
    END AS company_id,
    CAST(NULL AS TINYINT) AS depth,
    -- Only values right below the look-up; deeper ones name their parent.
    array_agg(
        named_struct(
            'id', concat('lookup_value:', CAST(id AS VARCHAR)),
            'name', name,
            'code', external_ref_code,
            'status', CASE WHEN active THEN 'active' WHEN NOT active THEN 'archived' END
        )
        ORDER BY id
    ) FILTER (WHERE coalesce(parent_id, parent['id']) IS NULL) AS options,
    CAST(NULL AS DATE) AS start_date,
    CAST(NULL AS DATE) AS end_date,
    first_value(_lineage ORDER BY id) AS _lineage
FROM (
    SELECT *, coalesce(lookup_id, lookup['id']) AS lookup_key
    FROM coupa.lookup_values
    WHERE _lineage['op'] <> 'delete'
)
WHERE lookup_key IS NOT NULL
GROUP BY lookup_key
