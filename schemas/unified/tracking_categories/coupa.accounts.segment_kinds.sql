-- Account segments themselves, the parents of their values: which of them a chart of accounts uses.
SELECT
    concat('segment:', CAST(chart_id AS VARCHAR), ':', CAST(segment['position'] AS VARCHAR)) AS id,
    min(created_at) AS created_at,
    max(updated_at) AS updated_at,
    CAST(NULL AS VARCHAR) AS created_by_id,
    CAST(NULL AS VARCHAR) AS updated_by_id,
    CASE WHEN bool_or(active) THEN 'active' WHEN NOT bool_or(active) THEN 'archived' END AS status,
    CAST(bool_or(active) AS VARCHAR) AS remote_status,
    CASE WHEN false THEN first_value(custom_fields) END AS custom_fields,
    concat('segment_', CAST(segment['position'] AS VARCHAR)) AS name,
    CAST(NULL AS VARCHAR) AS code,
    CAST(NULL AS VARCHAR) AS external_ref_num,
    'account_segment' AS category_type,
    CAST(NULL AS VARCHAR) AS parent_category_id,
    CAST(NULL AS VARCHAR) AS parent_name,
    true AS has_children,
    CAST(chart_id AS VARCHAR) AS company_id,
    CAST(NULL AS TINYINT) AS depth,
    CASE WHEN false THEN make_array(named_struct(
        'id', CAST(NULL AS VARCHAR),
        'name', CAST(NULL AS VARCHAR),
        'code', CAST(NULL AS VARCHAR),
        'status', CAST(NULL AS VARCHAR)
    )) END AS options,
    CAST(NULL AS DATE) AS start_date,
    CAST(NULL AS DATE) AS end_date,
    first_value(_lineage ORDER BY _lineage['extracted_at'], _lineage['content_hash']) AS _lineage
FROM (
    SELECT
        coalesce(account_type['id'], account_type_id) AS chart_id,
        active,
        created_at,
        updated_at,
        custom_fields,
        _lineage,
        unnest(array_compact(make_array(
            CASE
                WHEN non_blank(segment_1) IS NOT NULL THEN named_struct('position', 1, 'value', segment_1)
            END,
            CASE
                WHEN non_blank(segment_2) IS NOT NULL THEN named_struct('position', 2, 'value', segment_2)
            END,
            CASE
                WHEN non_blank(segment_3) IS NOT NULL THEN named_struct('position', 3, 'value', segment_3)
            END,
            CASE
                WHEN non_blank(segment_4) IS NOT NULL THEN named_struct('position', 4, 'value', segment_4)
            END,
            CASE
                WHEN non_blank(segment_5) IS NOT NULL THEN named_struct('position', 5, 'value', segment_5)
            END,
            CASE
                WHEN non_blank(segment_6) IS NOT NULL THEN named_struct('position', 6, 'value', segment_6)
            END,
            CASE
                WHEN non_blank(segment_7) IS NOT NULL THEN named_struct('position', 7, 'value', segment_7)
            END,
            CASE
                WHEN non_blank(segment_8) IS NOT NULL THEN named_struct('position', 8, 'value', segment_8)
            END,
            CASE
                WHEN non_blank(segment_9) IS NOT NULL THEN named_struct('position', 9, 'value', segment_9)
            END,
            CASE
                WHEN non_blank(segment_10) IS NOT NULL THEN named_struct('position', 10, 'value', segment_10)
            END,
            CASE
                WHEN non_blank(segment_11) IS NOT NULL THEN named_struct('position', 11, 'value', segment_11)
            END,
            CASE
                WHEN non_blank(segment_12) IS NOT NULL THEN named_struct('position', 12, 'value', segment_12)
            END,
            CASE
                WHEN non_blank(segment_13) IS NOT NULL THEN named_struct('position', 13, 'value', segment_13)
            END,
            CASE
                WHEN non_blank(segment_14) IS NOT NULL THEN named_struct('position', 14, 'value', segment_14)
            END,
            CASE
                WHEN non_blank(segment_15) IS NOT NULL THEN named_struct('position', 15, 'value', segment_15)
            END,
            CASE
                WHEN non_blank(segment_16) IS NOT NULL THEN named_struct('position', 16, 'value', segment_16)
            END,
            CASE
                WHEN non_blank(segment_17) IS NOT NULL THEN named_struct('position', 17, 'value', segment_17)
            END,
            CASE
                WHEN non_blank(segment_18) IS NOT NULL THEN named_struct('position', 18, 'value', segment_18)
            END,
            CASE
                WHEN non_blank(segment_19) IS NOT NULL THEN named_struct('position', 19, 'value', segment_19)
            END,
            CASE
                WHEN non_blank(segment_20) IS NOT NULL THEN named_struct('position', 20, 'value', segment_20)
            END
        ))) AS segment
    FROM coupa.accounts
    WHERE _lineage['op'] <> 'delete'
)
WHERE chart_id IS NOT NULL
GROUP BY chart_id, segment['position']
