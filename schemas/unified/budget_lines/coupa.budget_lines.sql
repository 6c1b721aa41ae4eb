-- Coupa budget lines to unified.budget_lines.
SELECT
    CAST(id AS VARCHAR) AS id,
    created_at,
    updated_at,
    CAST(created_by['id'] AS VARCHAR) AS created_by_id,
    CAST(updated_by['id'] AS VARCHAR) AS updated_by_id,
    CAST(NULL AS VARCHAR) AS status,
    CAST(NULL AS VARCHAR) AS remote_status,
    custom_fields,
    description,
    notes,
    amount,
    remaining,
    pending_requisitions_amount,
    currency['code'] AS currency,
    CAST(period['id'] AS VARCHAR) AS period_id,
    period['name'] AS period_name,
    period['start_date'] AS period_start,
    period['end_date'] AS period_end,
    period['is_open'] AS is_period_open,
    CAST(period['account_type']['id'] AS VARCHAR) AS company_id,
    period['account_type']['name'] AS company_name,
    NULLIF(array_to_string(make_array(
        non_blank(segment_1),
        non_blank(segment_2),
        non_blank(segment_3),
        non_blank(segment_4),
        non_blank(segment_5),
        non_blank(segment_6),
        non_blank(segment_7),
        non_blank(segment_8),
        non_blank(segment_9),
        non_blank(segment_10),
        non_blank(segment_11),
        non_blank(segment_12),
        non_blank(segment_13),
        non_blank(segment_14),
        non_blank(segment_15),
        non_blank(segment_16),
        non_blank(segment_17),
        non_blank(segment_18),
        non_blank(segment_19),
        non_blank(segment_20)
    ), '-'), '') AS account_code,
    array_compact(make_array(
        CASE
            WHEN non_blank(segment_1) IS NOT NULL THEN named_struct(
                'index', CAST(1 AS TINYINT), 'name', CAST(NULL AS VARCHAR), 'value', segment_1
            )
        END,
        CASE
            WHEN non_blank(segment_2) IS NOT NULL THEN named_struct(
                'index', CAST(2 AS TINYINT), 'name', CAST(NULL AS VARCHAR), 'value', segment_2
            )
        END,
        CASE
            WHEN non_blank(segment_3) IS NOT NULL THEN named_struct(
                'index', CAST(3 AS TINYINT), 'name', CAST(NULL AS VARCHAR), 'value', segment_3
            )
        END,
        CASE
            WHEN non_blank(segment_4) IS NOT NULL THEN named_struct(
                'index', CAST(4 AS TINYINT), 'name', CAST(NULL AS VARCHAR), 'value', segment_4
            )
        END,
        CASE
            WHEN non_blank(segment_5) IS NOT NULL THEN named_struct(
                'index', CAST(5 AS TINYINT), 'name', CAST(NULL AS VARCHAR), 'value', segment_5
            )
        END,
        CASE
            WHEN non_blank(segment_6) IS NOT NULL THEN named_struct(
                'index', CAST(6 AS TINYINT), 'name', CAST(NULL AS VARCHAR), 'value', segment_6
            )
        END,
        CASE
            WHEN non_blank(segment_7) IS NOT NULL THEN named_struct(
                'index', CAST(7 AS TINYINT), 'name', CAST(NULL AS VARCHAR), 'value', segment_7
            )
        END,
        CASE
            WHEN non_blank(segment_8) IS NOT NULL THEN named_struct(
                'index', CAST(8 AS TINYINT), 'name', CAST(NULL AS VARCHAR), 'value', segment_8
            )
        END,
        CASE
            WHEN non_blank(segment_9) IS NOT NULL THEN named_struct(
                'index', CAST(9 AS TINYINT), 'name', CAST(NULL AS VARCHAR), 'value', segment_9
            )
        END,
        CASE
            WHEN non_blank(segment_10) IS NOT NULL THEN named_struct(
                'index', CAST(10 AS TINYINT), 'name', CAST(NULL AS VARCHAR), 'value', segment_10
            )
        END,
        CASE
            WHEN non_blank(segment_11) IS NOT NULL THEN named_struct(
                'index', CAST(11 AS TINYINT), 'name', CAST(NULL AS VARCHAR), 'value', segment_11
            )
        END,
        CASE
            WHEN non_blank(segment_12) IS NOT NULL THEN named_struct(
                'index', CAST(12 AS TINYINT), 'name', CAST(NULL AS VARCHAR), 'value', segment_12
            )
        END,
        CASE
            WHEN non_blank(segment_13) IS NOT NULL THEN named_struct(
                'index', CAST(13 AS TINYINT), 'name', CAST(NULL AS VARCHAR), 'value', segment_13
            )
        END,
        CASE
            WHEN non_blank(segment_14) IS NOT NULL THEN named_struct(
                'index', CAST(14 AS TINYINT), 'name', CAST(NULL AS VARCHAR), 'value', segment_14
            )
        END,
        CASE
            WHEN non_blank(segment_15) IS NOT NULL THEN named_struct(
                'index', CAST(15 AS TINYINT), 'name', CAST(NULL AS VARCHAR), 'value', segment_15
            )
        END,
        CASE
            WHEN non_blank(segment_16) IS NOT NULL THEN named_struct(
                'index', CAST(16 AS TINYINT), 'name', CAST(NULL AS VARCHAR), 'value', segment_16
            )
        END,
        CASE
            WHEN non_blank(segment_17) IS NOT NULL THEN named_struct(
                'index', CAST(17 AS TINYINT), 'name', CAST(NULL AS VARCHAR), 'value', segment_17
            )
        END,
        CASE
            WHEN non_blank(segment_18) IS NOT NULL THEN named_struct(
                'index', CAST(18 AS TINYINT), 'name', CAST(NULL AS VARCHAR), 'value', segment_18
            )
        END,
        CASE
            WHEN non_blank(segment_19) IS NOT NULL THEN named_struct(
                'index', CAST(19 AS TINYINT), 'name', CAST(NULL AS VARCHAR), 'value', segment_19
            )
        END,
        CASE
            WHEN non_blank(segment_20) IS NOT NULL THEN named_struct(
                'index', CAST(20 AS TINYINT), 'name', CAST(NULL AS VARCHAR), 'value', segment_20
            )
        END
    )) AS segments,
    CAST(owner['id'] AS VARCHAR) AS owner_id,
    owner['fullname'] AS owner_name,
    error_on_overrun AS is_overrun_refused,
    _lineage
FROM coupa.budget_lines
