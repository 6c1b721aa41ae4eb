-- Coupa receiving transactions to unified.receipts.
WITH tracked AS (
    -- Account segments that count as tracking categories; none unless the word table names some.
    SELECT
        coalesce(
            array_agg(
                named_struct('chart', account_type_id, 'position', CAST(segment AS BIGINT), 'label', label)
                ORDER BY CAST(segment AS BIGINT), account_type_id
            ),
            array_filter(
                make_array(named_struct('chart', '', 'position', CAST(0 AS BIGINT), 'label', '')), s -> false
            )
        ) AS segments
    FROM words.tracking_categories_tracked_segments
),
judged AS (
    SELECT
        *,
        CASE
            WHEN lower(coalesce(order_line['type'], type)) LIKE '%amount%' THEN 'amount'
            ELSE 'quantity'
        END AS basis,
        -- A void takes back what it voids, whatever sign its own figures carry.
        CASE
            WHEN lower(type) LIKE 'void%return%' OR lower(type) LIKE 'void%disposal%' THEN CAST(1 AS INT)
            WHEN lower(type) LIKE '%return%' OR lower(type) LIKE '%disposal%' THEN CAST(-1 AS INT)
            WHEN lower(type) LIKE 'void%' THEN CAST(-1 AS INT)
            WHEN lower(type) LIKE '%consumption%' OR lower(type) LIKE '%receipt%' THEN CAST(1 AS INT)
        END AS direction
    FROM coupa.receiving_transactions
),
valued AS (
    SELECT
        *,
        coalesce(total, multiply_exact(quantity, price), CASE WHEN basis = 'amount' THEN price END) AS value
    FROM judged
)
SELECT
    CAST(r.id AS VARCHAR) AS id,
    created_at,
    updated_at,
    CAST(created_by['id'] AS VARCHAR) AS created_by_id,
    CAST(updated_by['id'] AS VARCHAR) AS updated_by_id,
    status_key(status) AS status,
    status AS remote_status,
    custom_fields,
    CASE
        WHEN lower(type) LIKE '%return%' THEN 'return'
        WHEN lower(type) LIKE '%disposal%' THEN 'disposal'
        WHEN lower(type) LIKE '%consumption%' THEN 'consumption'
        WHEN lower(type) LIKE '%receipt%' THEN 'receipt'
        ELSE 'other'
    END AS type,
    type AS remote_type,
    basis,
    coalesce(lower(type) LIKE 'void%', false) AS is_void,
    CAST(coalesce(original_transaction_id, original_transaction['id']) AS VARCHAR) AS original_receipt_id,
    direction,
    quantity,
    CASE WHEN direction > 0 THEN abs(quantity) WHEN direction < 0 THEN -abs(quantity) END AS quantity_effect,
    CASE WHEN direction > 0 THEN abs(value) WHEN direction < 0 THEN -abs(value) END AS amount_effect,
    price AS unit_price,
    value AS total_amount,
    voided_value AS voided_amount,
    currency['code'] AS currency,
    transaction_date,
    CAST(order_line['order_header_id'] AS VARCHAR) AS purchase_order_id,
    order_line['order_header_number'] AS purchase_order_number,
    CAST(order_line['id'] AS VARCHAR) AS purchase_order_line_id,
    order_line['line_num'] AS purchase_order_line_number,
    CAST(item['id'] AS VARCHAR) AS item_id,
    coalesce(non_blank(item['name']), order_line['description']) AS item_name,
    uom['code'] AS uom,
    CASE
        WHEN coalesce(cardinality(account_allocations), 0) = 0 THEN CAST(account['id'] AS VARCHAR)
    END AS account_id,
    CASE WHEN coalesce(cardinality(account_allocations), 0) = 0 THEN account['code'] END AS account_code,
    coalesce(cardinality(account_allocations) > 0, false) AS is_split,
    array_transform(
        list_sort_by(account_allocations, array_transform(account_allocations, a -> a['id'])),
        a -> named_struct(
            'id', CAST(a['id'] AS VARCHAR),
            'account_id', CAST(a['account']['id'] AS VARCHAR), 'account_code', a['account']['code'],
            'amount', a['amount'], 'pct', a['pct'],
            'period_id', CAST(a['period']['id'] AS VARCHAR), 'period_name', a['period']['name'],
            'tracking', array_transform(
                array_filter(segments, s ->
                    (s['chart'] IS NULL OR s['chart'] = CAST(a['account']['account_type']['id'] AS VARCHAR))
                    AND non_blank(split_part(a['account']['code'], '-', s['position'])) IS NOT NULL),
                s -> named_struct(
                    'id', concat(
                        'segment:', CAST(a['account']['account_type']['id'] AS VARCHAR), ':',
                        CAST(s['position'] AS VARCHAR), ':',
                        split_part(a['account']['code'], '-', s['position'])
                    ),
                    'name', coalesce(s['label'], concat('segment_', CAST(s['position'] AS VARCHAR))),
                    'option', split_part(a['account']['code'], '-', s['position']),
                    'category_type', 'account_segment',
                    'code', split_part(a['account']['code'], '-', s['position'])
                )
            )
        )
    ) AS allocations,
    CAST(to_warehouse['id'] AS VARCHAR) AS warehouse_id,
    to_warehouse['name'] AS warehouse_name,
    CAST(receipts_batch_id AS VARCHAR) AS batch_id,
    match_reference,
    CAST(asn_line['id'] AS VARCHAR) AS asn_line_id,
    exported AS is_exported,
    last_exported_at,
    _lineage
FROM tracked
CROSS JOIN valued AS r
