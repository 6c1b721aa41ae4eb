-- Coupa accounts to unified.accounts.
WITH classified AS (
    -- Rules of classification.csv: the longest prefix of a segment wins.
    SELECT
        a.id,
        first_value(
            rule.classification ORDER BY length(rule.prefix) DESC, rule.classification
        ) AS classification
    FROM words.accounts_classification AS rule
    JOIN (
        SELECT
            id,
            CAST(coalesce(account_type['id'], account_type_id) AS VARCHAR) AS chart_id,
            make_array(
                segment_1, segment_2, segment_3, segment_4, segment_5, segment_6, segment_7, segment_8,
                segment_9, segment_10, segment_11, segment_12, segment_13, segment_14, segment_15, segment_16,
                segment_17, segment_18, segment_19, segment_20
            ) AS segments
        FROM coupa.accounts
    ) AS a
        ON (rule.account_type_id IS NULL OR rule.account_type_id = a.chart_id)
        AND starts_with(a.segments[CAST(rule.segment AS BIGINT)], rule.prefix)
    GROUP BY a.id
),
facts AS (
    SELECT
        a.id,
        chart.id AS chart_id,
        chart.name AS chart_name,
        chart.legal_entity_name AS chart_legal_entity,
        chart.currency['code'] AS chart_currency,
        classified.classification
    FROM (SELECT id, coalesce(account_type['id'], account_type_id) AS chart_id FROM coupa.accounts) AS a
    LEFT JOIN coupa.account_types AS chart ON chart.id = a.chart_id
    LEFT JOIN classified ON classified.id = a.id
)
SELECT
    CAST(a.id AS VARCHAR) AS id,
    created_at,
    updated_at,
    CAST(created_by['id'] AS VARCHAR) AS created_by_id,
    CAST(updated_by['id'] AS VARCHAR) AS updated_by_id,
    CASE WHEN active THEN 'active' WHEN NOT active THEN 'archived' END AS status,
    CAST(active AS VARCHAR) AS remote_status,
    custom_fields,
    coalesce(non_blank(name), code) AS name,
    code,
    CAST(NULL AS VARCHAR) AS description,
    facts.classification,
    'general_ledger' AS type,
    CAST(NULL AS DECIMAL(38, 9)) AS current_balance,
    coalesce(account_type['currency']['code'], facts.chart_currency) AS currency,
    code AS account_number,
    CAST(NULL AS VARCHAR) AS parent_account_id,
    CAST(coalesce(account_type['id'], account_type_id) AS VARCHAR) AS company_id,
    coalesce(non_blank(account_type['name']), facts.chart_name) AS company_name,
    coalesce(non_blank(account_type['legal_entity_name']), facts.chart_legal_entity) AS legal_entity_name,
    array_filter(
        make_array(
            named_struct('index', CAST(1 AS TINYINT), 'name', CAST(NULL AS VARCHAR), 'value', segment_1),
            named_struct('index', CAST(2 AS TINYINT), 'name', CAST(NULL AS VARCHAR), 'value', segment_2),
            named_struct('index', CAST(3 AS TINYINT), 'name', CAST(NULL AS VARCHAR), 'value', segment_3),
            named_struct('index', CAST(4 AS TINYINT), 'name', CAST(NULL AS VARCHAR), 'value', segment_4),
            named_struct('index', CAST(5 AS TINYINT), 'name', CAST(NULL AS VARCHAR), 'value', segment_5),
            named_struct('index', CAST(6 AS TINYINT), 'name', CAST(NULL AS VARCHAR), 'value', segment_6),
            named_struct('index', CAST(7 AS TINYINT), 'name', CAST(NULL AS VARCHAR), 'value', segment_7),
            named_struct('index', CAST(8 AS TINYINT), 'name', CAST(NULL AS VARCHAR), 'value', segment_8),
            named_struct('index', CAST(9 AS TINYINT), 'name', CAST(NULL AS VARCHAR), 'value', segment_9),
            named_struct('index', CAST(10 AS TINYINT), 'name', CAST(NULL AS VARCHAR), 'value', segment_10),
            named_struct('index', CAST(11 AS TINYINT), 'name', CAST(NULL AS VARCHAR), 'value', segment_11),
            named_struct('index', CAST(12 AS TINYINT), 'name', CAST(NULL AS VARCHAR), 'value', segment_12),
            named_struct('index', CAST(13 AS TINYINT), 'name', CAST(NULL AS VARCHAR), 'value', segment_13),
            named_struct('index', CAST(14 AS TINYINT), 'name', CAST(NULL AS VARCHAR), 'value', segment_14),
            named_struct('index', CAST(15 AS TINYINT), 'name', CAST(NULL AS VARCHAR), 'value', segment_15),
            named_struct('index', CAST(16 AS TINYINT), 'name', CAST(NULL AS VARCHAR), 'value', segment_16),
            named_struct('index', CAST(17 AS TINYINT), 'name', CAST(NULL AS VARCHAR), 'value', segment_17),
            named_struct('index', CAST(18 AS TINYINT), 'name', CAST(NULL AS VARCHAR), 'value', segment_18),
            named_struct('index', CAST(19 AS TINYINT), 'name', CAST(NULL AS VARCHAR), 'value', segment_19),
            named_struct('index', CAST(20 AS TINYINT), 'name', CAST(NULL AS VARCHAR), 'value', segment_20)
        ),
        s -> non_blank(s['value']) IS NOT NULL
    ) AS segments,
    CAST(NULL AS VARCHAR) AS etag,
    _lineage
FROM facts
JOIN coupa.accounts AS a ON a.id = facts.id
