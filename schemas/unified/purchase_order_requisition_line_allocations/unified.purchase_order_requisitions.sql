-- Allocations of the lines of unified.purchase_order_requisitions; an unsplit line gives one row over its whole amount,
-- so that the amounts always sum to the lines'.
SELECT
    coalesce(
        allocation['id'],
        concat(
            coalesce(line_id, concat(requisition_id, ':', CAST(line_ordinal AS VARCHAR))), ':',
            CAST(ordinal AS VARCHAR)
        )
    ) AS id,
    requisition_id,
    coalesce(line_id, concat(requisition_id, ':', CAST(line_ordinal AS VARCHAR))) AS requisition_line_id,
    CAST(line_ordinal AS INT) AS line_ordinal,
    CAST(ordinal AS INT) AS ordinal,
    created_at,
    updated_at,
    created_by_id,
    updated_by_id,
    CAST(NULL AS VARCHAR) AS status,
    CAST(NULL AS VARCHAR) AS remote_status,
    CASE WHEN false THEN custom_fields END AS custom_fields,
    NOT is_split AS is_synthetic,
    allocation['account_id'] AS account_id,
    allocation['account_code'] AS account_code,
    allocation['amount'] AS amount,
    allocation['pct'] AS pct,
    currency,
    allocation['period_id'] AS period_id,
    allocation['period_name'] AS period_name,
    allocation['tracking'] AS tracking_categories,
    connection_id,
    remote_object,
    is_deleted,
    deleted_at,
    _extracted_at,
    _run_id,
    _content_hash,
    _schema_version
FROM (
    SELECT
        *,
        unnest(range(1, CAST(cardinality(allocations) AS BIGINT) + 1)) AS ordinal,
        unnest(allocations) AS allocation
    FROM (
        SELECT
            requisition_id,
            line_ordinal,
            line['id'] AS line_id,
            line['currency'] AS currency,
            line['is_split'] AS is_split,
            created_at,
            updated_at,
            created_by_id,
            updated_by_id,
            custom_fields,
            connection_id,
            remote_object,
            is_deleted,
            deleted_at,
            _extracted_at,
            _run_id,
            _content_hash,
            _schema_version,
            CASE
                WHEN line['is_split'] THEN line['allocations']
                ELSE make_array(named_struct(
                    'id', CAST(NULL AS VARCHAR),
                    'account_id', line['account_id'],
                    'account_code', line['account_code'],
                    'amount', line['total_line_amount'],
                    'pct', CAST(100 AS DECIMAL(16, 10)),
                    'period_id', line['period_id'],
                    'period_name', CAST(NULL AS VARCHAR),
                    'tracking', array_filter(
                        line['tracking_categories'], r -> r['category_type'] = 'account_segment'
                    )
                ))
            END AS allocations
        FROM (
            SELECT
                id AS requisition_id,
                created_at,
                updated_at,
                created_by_id,
                updated_by_id,
                custom_fields,
                connection_id,
                remote_object,
                is_deleted,
                deleted_at,
                _extracted_at,
                _run_id,
                _content_hash,
                _schema_version,
                unnest(range(1, CAST(cardinality(line_items) AS BIGINT) + 1)) AS line_ordinal,
                unnest(line_items) AS line
            FROM unified.purchase_order_requisitions
        )
    )
)
