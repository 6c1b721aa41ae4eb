-- Coupa requisitions to unified.purchase_order_requisitions.
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
-- The books that a requisition falls into: those of its chart of accounts, if all lines agree on one.
charted AS (
    SELECT
        id,
        status,
        currency['code'] AS currency_code,
        -- The day as Coupa wrote it; the timestamps themselves are already in UTC, maybe on another day.
        TRY_CAST(
            left(coalesce(json_get(_raw, 'submitted_at'), json_get(_raw, 'created_at')), 10) AS DATE
        ) AS day,
        array_distinct(array_compact(flatten(array_transform(requisition_lines, l -> CASE
            WHEN cardinality(l['account_allocations']) > 0
                THEN array_transform(l['account_allocations'], a -> a['account']['account_type']['id'])
            ELSE make_array(l['account']['account_type']['id'])
        END)))) AS chart_ids
    FROM coupa.requisitions
),
booked AS (
    SELECT charted.*, chart.id AS chart_id, chart.name AS chart_name, chart.currency['code'] AS books_currency
    FROM charted
    LEFT JOIN coupa.account_types AS chart
        ON chart.id = CASE WHEN cardinality(charted.chart_ids) = 1 THEN charted.chart_ids[1] END
),
rates AS (
    SELECT
        wanted.currency_code,
        wanted.books_currency,
        wanted.day,
        first_value(rate.rate ORDER BY rate.rate_date DESC, rate.id DESC) AS rate
    FROM (
        SELECT DISTINCT currency_code, books_currency, day
        FROM booked
        WHERE currency_code <> books_currency
    ) AS wanted
    JOIN (
        SELECT id, rate, rate_date, from_currency['code'] AS from_code, to_currency['code'] AS to_code
        FROM coupa.exchange_rates
        WHERE rate IS NOT NULL
    ) AS rate
        ON rate.from_code = wanted.currency_code
        AND rate.to_code = wanted.books_currency
        AND rate.rate_date <= wanted.day
    GROUP BY wanted.currency_code, wanted.books_currency, wanted.day
),
facts AS (
    SELECT
        booked.id,
        booked.day,
        booked.chart_id,
        booked.chart_name,
        booked.books_currency,
        rates.rate,
        word.status AS mapped_status
    FROM booked
    LEFT JOIN words.purchase_order_requisitions_status AS word
        ON word.remote_status = replace(status_key(booked.status), 'canceled', 'cancelled')
    LEFT JOIN rates
        ON rates.currency_code = booked.currency_code
        AND rates.books_currency = booked.books_currency
        AND rates.day = booked.day
),
ordered AS (
    SELECT
        r.*,
        tracked.segments,
        facts.day,
        facts.chart_id,
        facts.chart_name,
        facts.books_currency,
        facts.rate,
        facts.mapped_status,
        r.currency['code'] AS currency_code,
        array_transform(
            list_sort_by(
                r.requisition_lines,
                array_transform(r.requisition_lines, l -> named_struct(
                    'number', TRY_CAST(l['line_num'] AS BIGINT),
                    'sub_number', l['sub_line_num'],
                    'id', l['id']
                ))
            ),
            l -> named_struct(
                'line', l,
                'type', CASE
                    WHEN lower(l['line_type']) LIKE '%quantity%' THEN 'quantity'
                    WHEN lower(l['line_type']) LIKE '%amount%' THEN 'amount'
                    WHEN l['quantity'] IS NOT NULL THEN 'quantity'
                    ELSE 'amount'
                END,
                'is_split', coalesce(cardinality(l['account_allocations']) > 0, false),
                'accounts', CASE
                    WHEN cardinality(l['account_allocations']) > 0
                        THEN array_transform(l['account_allocations'], a -> a['account'])
                    ELSE make_array(l['account'])
                END
            )
        ) AS lines,
        array_compact(make_array(CASE WHEN r.department['id'] IS NOT NULL THEN named_struct(
            'id', concat('department:', CAST(r.department['id'] AS VARCHAR)),
            'name', 'department',
            'option', r.department['name'],
            'category_type', 'department',
            'code', CAST(NULL AS VARCHAR)
        ) END)) AS department_tracking,
        CASE
            WHEN r.requested_by['id'] IS NOT NULL THEN r.requested_by
            WHEN r.requester['id'] IS NOT NULL THEN r.requester
            ELSE r.created_by
        END AS employee
    FROM tracked
    CROSS JOIN (facts JOIN coupa.requisitions AS r ON r.id = facts.id)
),
mapped AS (
    SELECT
        r.*,
        array_transform(lines, t -> named_struct(
            'id', CAST(t['line']['id'] AS VARCHAR),
            'line_number', t['line']['line_num'],
            'line_number_int', TRY_CAST(t['line']['line_num'] AS INT),
            'sub_line_number', TRY_CAST(t['line']['sub_line_num'] AS INT),
            'type', t['type'],
            'name', coalesce(non_blank(t['line']['item']['name']), non_blank(t['line']['description'])),
            'description', t['line']['description'],
            'item_id', CAST(t['line']['item']['id'] AS VARCHAR),
            'item_number', t['line']['item']['item_number'],
            'supplier_part_number', t['line']['source_part_num'],
            'supplier_aux_part_number', t['line']['supp_aux_part_num'],
            'account_id', CASE WHEN NOT t['is_split'] THEN CAST(t['line']['account']['id'] AS VARCHAR) END,
            'account_code', CASE WHEN NOT t['is_split'] THEN t['line']['account']['code'] END,
            'quantity', CASE
                WHEN t['type'] = 'amount' THEN CAST(1 AS DECIMAL(38, 9))
                ELSE t['line']['quantity']
            END,
            'uom', t['line']['uom']['code'],
            'unit_price', CASE
                WHEN t['type'] = 'amount' THEN coalesce(t['line']['total'], t['line']['unit_price'])
                ELSE t['line']['unit_price']
            END,
            'total_line_amount', coalesce(
                t['line']['total'],
                CASE
                    WHEN t['type'] = 'amount' THEN t['line']['unit_price']
                    ELSE multiply_exact(t['line']['quantity'], t['line']['unit_price'])
                END
            ),
            'currency', coalesce(t['line']['currency']['code'], r.currency_code),
            'need_by_date', t['line']['need_by_date'],
            'status', replace(status_key(t['line']['status']), 'canceled', 'cancelled'),
            'source_type', t['line']['source_type'],
            'order_line_id', CAST(t['line']['order_line_id'] AS VARCHAR),
            'commodity_id', CAST(t['line']['commodity']['id'] AS VARCHAR),
            'commodity_name', t['line']['commodity']['name'],
            'contract_id', CAST(t['line']['contract']['id'] AS VARCHAR),
            'supplier_id', CAST(t['line']['supplier']['id'] AS VARCHAR),
            'supplier_name', t['line']['supplier']['name'],
            'payment_term_id', CAST(t['line']['payment_term']['id'] AS VARCHAR),
            'period_id', CAST(t['line']['period']['id'] AS VARCHAR),
            'unspsc', t['line']['unspsc_code'],
            'manufacturer_name', t['line']['manufacturer_name'],
            'manufacturer_part_number', t['line']['manufacturer_part_number'],
            'minimum_order_quantity', t['line']['minimum_order_quantity'],
            'service_type', t['line']['service_type'],
            'is_split', t['is_split'],
            'allocations', array_transform(
                list_sort_by(
                    t['line']['account_allocations'],
                    array_transform(t['line']['account_allocations'], a -> a['id'])
                ),
                a -> named_struct(
                    'id', CAST(a['id'] AS VARCHAR),
                    'account_id', CAST(a['account']['id'] AS VARCHAR), 'account_code', a['account']['code'],
                    'amount', a['amount'], 'pct', a['pct'],
                    'period_id', CAST(a['period']['id'] AS VARCHAR), 'period_name', a['period']['name'],
                    'tracking', array_transform(
                        array_filter(r.segments, s ->
                            (
                                s['chart'] IS NULL OR s['chart'] = CAST(
                                    a['account']['account_type']['id'] AS VARCHAR
                                )
                            )
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
            ),
            'tracking_categories', array_concat(
                r.department_tracking,
                array_distinct(flatten(array_transform(t['accounts'], c -> array_transform(
                    array_filter(r.segments, s ->
                        (s['chart'] IS NULL OR s['chart'] = CAST(c['account_type']['id'] AS VARCHAR))
                        AND non_blank(split_part(c['code'], '-', s['position'])) IS NOT NULL),
                    s -> named_struct(
                        'id', concat(
                            'segment:', CAST(c['account_type']['id'] AS VARCHAR), ':',
                            CAST(s['position'] AS VARCHAR), ':', split_part(c['code'], '-', s['position'])
                        ),
                        'name', coalesce(s['label'], concat('segment_', CAST(s['position'] AS VARCHAR))),
                        'option', split_part(c['code'], '-', s['position']),
                        'category_type', 'account_segment',
                        'code', split_part(c['code'], '-', s['position'])
                    )
                )))),
                array_transform(
                    array_filter(array_sort(map_entries(t['line']['custom_fields'])), e ->
                        json_get(e['value'], 'id') IS NOT NULL
                        AND coalesce(
                            json_get(e['value'], 'name'),
                            json_get(e['value'], 'external_ref_code')
                        ) IS NOT NULL),
                    e -> named_struct(
                        'id', concat('lookup_value:', json_get(e['value'], 'id')),
                        'name', e['key'],
                        'option', coalesce(
                            non_blank(json_get(e['value'], 'name')),
                            json_get(e['value'], 'external_ref_code')
                        ),
                        'category_type', 'lookup',
                        'code', json_get(e['value'], 'external_ref_code')
                    )
                )
            ),
            'custom_fields', t['line']['custom_fields']
        )) AS line_items
    FROM ordered AS r
),
summed AS (
    SELECT
        r.*,
        array_distinct(array_compact(array_transform(r.line_items, l -> l['supplier_id']))) AS suppliers,
        array_any_value(array_transform(r.line_items, l -> l['supplier_name'])) AS first_supplier_name
    FROM mapped AS r
)
SELECT
    CAST(id AS VARCHAR) AS id,
    created_at,
    updated_at,
    CAST(created_by['id'] AS VARCHAR) AS created_by_id,
    CAST(updated_by['id'] AS VARCHAR) AS updated_by_id,
    mapped_status AS status,
    status AS remote_status,
    custom_fields,
    CAST(id AS VARCHAR) AS number,
    req_title AS title,
    day AS issue_date,
    submitted_at,
    coalesce(need_by_date, array_min(array_transform(line_items, l -> l['need_by_date']))) AS delivery_date,
    CAST(employee['id'] AS VARCHAR) AS employee_id,
    employee['fullname'] AS employee_name,
    employee['email'] AS employee_email,
    CAST(requested_by['id'] AS VARCHAR) AS requested_by_id,
    CAST(department['id'] AS VARCHAR) AS department_id,
    department['name'] AS department_name,
    CAST(NULL AS VARCHAR) AS customer_id,
    CASE WHEN cardinality(suppliers) = 1 THEN suppliers[1] END AS vendor_id,
    CASE WHEN cardinality(suppliers) = 1 THEN first_supplier_name END AS vendor_name,
    suppliers AS vendor_ids,
    justification AS memo,
    buyer_note,
    reject_reason_comment AS reject_reason,
    coalesce(
        total,
        -- In the requester's own currency, which need not be the requisition's.
        CASE
            WHEN mobile_currency['code'] IS NULL OR mobile_currency['code'] = currency_code THEN mobile_total
        END,
        list_sum(array_transform(line_items, l -> l['total_line_amount']))
    ) AS total_amount,
    currency_code AS currency,
    CASE WHEN books_currency = currency_code THEN CAST(1 AS DECIMAL(38, 9)) ELSE rate END AS exchange_rate,
    CASE
        WHEN books_currency = currency_code THEN 'same_currency'
        WHEN rate IS NOT NULL THEN 'exchange_rates'
    END AS exchange_rate_source,
    books_currency AS accounting_currency,
    CAST(chart_id AS VARCHAR) AS company_id,
    chart_name AS company_name,
    NULLIF(concat_ws(
        ', ',
        coalesce(non_blank(ship_to_attention), non_blank(ship_to_address['attention'])),
        non_blank(ship_to_address['name']),
        non_blank(ship_to_address['street1']), non_blank(ship_to_address['street2']),
        non_blank(ship_to_address['street3']), non_blank(ship_to_address['street4']),
        non_blank(ship_to_address['city']),
        non_blank(ship_to_address['state']),
        non_blank(ship_to_address['postal_code']),
        coalesce(non_blank(ship_to_address['country']['name']), non_blank(ship_to_address['country']['code']))
    ), '') AS delivery_address_text,
    CASE WHEN ship_to_address IS NOT NULL THEN named_struct(
        'id', CAST(ship_to_address['id'] AS VARCHAR), 'name', ship_to_address['name'], 'type', 'ship_to',
        'street_1', ship_to_address['street1'], 'street_2', ship_to_address['street2'],
        'street_3', ship_to_address['street3'], 'street_4', ship_to_address['street4'],
        'city', ship_to_address['city'],
        'state', ship_to_address['state'],
        'state_code', ship_to_address['state_iso_code'],
        'country', ship_to_address['country']['name'], 'country_code', ship_to_address['country']['code'],
        'postal_code', ship_to_address['postal_code'], 'location_code', ship_to_address['location_code'],
        'attention', coalesce(non_blank(ship_to_attention), ship_to_address['attention'])
    ) END AS ship_to,
    coalesce(TRY_CAST(line_count AS INT), CAST(cardinality(line_items) AS INT)) AS line_count,
    CAST(
        coalesce(current_approval['approver_id'], current_approval['approver']['id']) AS VARCHAR
    ) AS current_approver_id,
    array_transform(
        list_sort_by(
            approvals,
            array_transform(approvals, a -> named_struct('position', a['position'], 'id', a['id']))
        ),
        a -> named_struct(
            'id', CAST(a['id'] AS VARCHAR),
            'approver_id', CAST(coalesce(a['approver_id'], a['approver']['id']) AS VARCHAR),
            'approver_type', a['approver_type'],
            'status', status_key(a['status']),
            'position', TRY_CAST(a['position'] AS INT),
            'approved_at', a['approval_date']
        )
    ) AS approvals,
    exported AS is_exported,
    last_exported_at,
    array_concat(
        department_tracking,
        array_transform(
            array_filter(array_sort(map_entries(custom_fields)), e ->
                json_get(e['value'], 'id') IS NOT NULL
                AND coalesce(
                    json_get(e['value'], 'name'),
                    json_get(e['value'], 'external_ref_code')
                ) IS NOT NULL),
            e -> named_struct(
                'id', concat('lookup_value:', json_get(e['value'], 'id')),
                'name', e['key'],
                'option', coalesce(
                    non_blank(json_get(e['value'], 'name')),
                    json_get(e['value'], 'external_ref_code')
                ),
                'category_type', 'lookup',
                'code', json_get(e['value'], 'external_ref_code')
            )
        )
    ) AS tracking_categories,
    array_transform(
        list_sort_by(attachments, array_transform(attachments, a -> a['id'])),
        a -> named_struct(
            'id', CAST(a['id'] AS VARCHAR),
            'name', coalesce(non_blank(a['file_file_name']), non_blank(a['file']), non_blank(a['text'])),
            'url', coalesce(non_blank(a['file_url']), non_blank(a['url']))
        )
    ) AS attachments,
    line_items,
    _lineage
FROM summed
