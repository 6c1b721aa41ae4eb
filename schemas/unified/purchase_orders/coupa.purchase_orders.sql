-- Coupa purchase orders to unified.purchase_orders.
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
orders AS (
    -- The small side of each join stands left, so that orders stream past it.
    SELECT o.*, word.status AS mapped_status
    FROM words.purchase_orders_status AS word
    RIGHT JOIN coupa.purchase_orders AS o
        ON word.remote_status = replace(status_key(o.status), 'canceled', 'cancelled')
),
ordered AS (
    SELECT
        o.*,
        tracked.segments,
        array_transform(
            list_sort_by(
                o.order_lines,
                array_transform(o.order_lines, l -> named_struct(
                    'number', TRY_CAST(l['line_num'] AS BIGINT),
                    'sub_number', l['sub_line_num'],
                    'id', l['id']
                ))
            ),
            l -> named_struct(
                'line', l,
                'type', CASE
                    WHEN lower(l['type']) LIKE '%quantity%' THEN 'quantity'
                    WHEN lower(l['type']) LIKE '%amount%' THEN 'amount'
                    WHEN l['quantity'] IS NOT NULL THEN 'quantity'
                    ELSE 'amount'
                END,
                'status', replace(status_key(l['status']), 'canceled', 'cancelled'),
                'is_split', coalesce(cardinality(l['account_allocations']) > 0, false),
                'accounts', CASE
                    WHEN cardinality(l['account_allocations']) > 0
                        THEN array_transform(l['account_allocations'], a -> a['account'])
                    ELSE make_array(l['account'])
                END
            )
        ) AS lines,
        -- Whose order it is: the requester, of the requisition or of the first line, or the creator.
        CASE
            WHEN o.requisition_header['requester']['id'] IS NOT NULL THEN o.requisition_header['requester']
            WHEN o.requisition_header['requested_by']['id'] IS NOT NULL THEN o.requisition_header['requested_by']
        END AS requisition_requester
    FROM tracked
    CROSS JOIN orders AS o
),
mapped AS (
    SELECT
        o.*,
        CASE
            WHEN o.requisition_requester['id'] IS NOT NULL THEN o.requisition_requester
            WHEN o.lines[1]['line']['requester']['id'] IS NOT NULL THEN o.lines[1]['line']['requester']
            ELSE o.created_by
        END AS employee,
        array_filter(
            flatten(array_transform(o.lines, t -> array_transform(t['accounts'], a -> a['account_type']))),
            chart -> chart['id'] IS NOT NULL
        ) AS charts,
        array_transform(o.lines, t -> named_struct(
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
                WHEN t['type'] = 'amount' THEN coalesce(t['line']['total'], t['line']['price'])
                ELSE t['line']['price']
            END,
            'total_line_amount', coalesce(
                t['line']['total'],
                CASE
                    WHEN t['type'] = 'amount' THEN t['line']['price']
                    ELSE multiply_exact(t['line']['quantity'], t['line']['price'])
                END
            ),
            'tax_rate_id', CAST(NULL AS VARCHAR),
            'tax_amount', CAST(NULL AS DECIMAL(38, 9)),
            'discount_amount', CAST(NULL AS DECIMAL(38, 9)),
            'currency', coalesce(t['line']['currency']['code'], o.currency['code']),
            'exchange_rate', CASE
                WHEN t['line']['accounting_total_currency']['code']
                    = coalesce(t['line']['currency']['code'], o.currency['code'])
                    THEN CAST(1 AS DECIMAL(38, 9))
                WHEN t['line']['accounting_total_currency']['code'] IS NOT NULL
                    THEN divide_exact(t['line']['accounting_total'], t['line']['total'])
            END,
            'accounting_total', t['line']['accounting_total'],
            'accounting_currency', t['line']['accounting_total_currency']['code'],
            'reporting_total', t['line']['reporting_total'],
            'need_by_date', t['line']['need_by_date'],
            'status', t['status'],
            'match_type', t['line']['match_type'],
            'is_receipt_required', t['line']['receipt_required'],
            'quantity_received', CASE WHEN t['type'] = 'quantity' THEN t['line']['received'] END,
            'amount_received', CASE
                WHEN t['type'] = 'amount' THEN t['line']['received']
                ELSE multiply_exact(t['line']['received'], t['line']['price'])
            END,
            'quantity_invoiced', CASE WHEN t['type'] = 'quantity' THEN t['line']['invoiced'] END,
            'amount_invoiced', coalesce(
                t['line']['total_invoiced'],
                CASE
                    WHEN t['type'] = 'amount' THEN t['line']['invoiced']
                    ELSE multiply_exact(t['line']['invoiced'], t['line']['price'])
                END
            ),
            'commodity_id', CAST(t['line']['commodity']['id'] AS VARCHAR),
            'commodity_name', t['line']['commodity']['name'],
            'contract_id', CAST(t['line']['contract']['id'] AS VARCHAR),
            'supplier_id', CAST(t['line']['supplier']['id'] AS VARCHAR),
            'department_id', CAST(t['line']['department']['id'] AS VARCHAR),
            'department_name', t['line']['department']['name'],
            'period_id', CAST(t['line']['period']['id'] AS VARCHAR),
            'requisition_line_id', non_blank(t['line']['requisition_line_id']),
            'is_split', t['is_split'],
            'allocations', array_transform(
                list_sort_by(
                    t['line']['account_allocations'],
                    array_transform(t['line']['account_allocations'], a -> a['id'])
                ),
                a -> named_struct(
                    'id', CAST(a['id'] AS VARCHAR),
                    'account_id', CAST(a['account']['id'] AS VARCHAR),
                    'account_code', a['account']['code'],
                    'amount', a['amount'],
                    'pct', a['pct'],
                    'period_id', CAST(a['period']['id'] AS VARCHAR),
                    'period_name', a['period']['name'],
                    'tracking', array_transform(
                        array_filter(o.segments, s ->
                            (
                                s['chart'] IS NULL OR s['chart'] = CAST(
                                    a['account']['account_type']['id'] AS VARCHAR
                                )
                            )
                            AND non_blank(split_part(a['account']['code'], '-', s['position'])) IS NOT NULL),
                        s -> named_struct(
                            'id', concat('segment:', CAST(a['account']['account_type']['id'] AS VARCHAR), ':',
                                CAST(s['position'] AS VARCHAR), ':', split_part(
                                    a['account']['code'],
                                    '-',
                                    s['position']
                                )),
                            'name', coalesce(s['label'], concat('segment_', CAST(s['position'] AS VARCHAR))),
                            'option', split_part(a['account']['code'], '-', s['position']),
                            'category_type', 'account_segment',
                            'code', split_part(a['account']['code'], '-', s['position'])
                        )
                    )
                )
            ),
            'tracking_categories', array_concat(
                array_compact(make_array(CASE
                    WHEN t['line']['department']['id'] IS NOT NULL THEN named_struct(
                        'id', concat('department:', CAST(t['line']['department']['id'] AS VARCHAR)),
                        'name', 'department',
                        'option', t['line']['department']['name'],
                        'category_type', 'department',
                        'code', CAST(NULL AS VARCHAR)
                    )
                END)),
                array_distinct(flatten(array_transform(t['accounts'], c -> array_transform(
                    array_filter(o.segments, s ->
                        (s['chart'] IS NULL OR s['chart'] = CAST(c['account_type']['id'] AS VARCHAR))
                        AND non_blank(split_part(c['code'], '-', s['position'])) IS NOT NULL),
                    s -> named_struct(
                        'id', concat('segment:', CAST(c['account_type']['id'] AS VARCHAR), ':',
                            CAST(s['position'] AS VARCHAR), ':', split_part(c['code'], '-', s['position'])),
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
                            non_blank(json_get(e['value'], 'name')), json_get(
                                e['value'],
                                'external_ref_code'
                            )),
                        'category_type', 'lookup',
                        'code', json_get(e['value'], 'external_ref_code')
                    )
                )
            ),
            'custom_fields', t['line']['custom_fields']
        )) AS line_items
    FROM ordered AS o
),
summed AS (
    SELECT
        o.*,
        -- Lines that still stand: what was cancelled or removed is no part of the order's value.
        array_filter(o.line_items, l -> coalesce(l['status'] NOT IN ('cancelled', 'deleted'), true)) AS live,
        array_distinct(
            array_compact(array_transform(o.line_items, l -> l['accounting_currency']))
        ) AS accounting_currencies,
        array_distinct(array_compact(array_transform(o.line_items, l -> l['period_id']))) AS periods,
        array_transform(
            o.line_items,
            l -> array_transform(l['tracking_categories'], r -> r['id'])
        ) AS line_tracking,
        array_distinct(array_transform(o.charts, chart -> chart['id'])) AS chart_ids
    FROM mapped AS o
),
totals AS (
    SELECT
        o.*,
        list_sum(array_transform(o.live, l -> l['total_line_amount'])) AS live_total,
        list_sum(array_transform(o.live, l -> l['accounting_total'])) AS live_accounting_total,
        list_sum(array_transform(o.line_items, l -> l['amount_invoiced'])) AS invoiced,
        list_sum(array_transform(o.line_items, l -> l['amount_received'])) AS received,
        CASE
            WHEN cardinality(o.accounting_currencies) = 1 THEN o.accounting_currencies[1]
        END AS books_currency
    FROM summed AS o
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
    coalesce(non_blank(po_number), CAST(id AS VARCHAR)) AS number,
    TRY_CAST(version AS INT) AS version,
    TRY_CAST(internal_revision AS INT) AS internal_revision,
    -- The day as Coupa wrote it; created_at itself is already in UTC, maybe on another day.
    TRY_CAST(left(json_get(_raw, 'created_at'), 10) AS DATE) AS issue_date,
    array_max(array_transform(line_items, l -> l['need_by_date'])) AS delivery_date,
    array_min(array_transform(line_items, l -> l['need_by_date'])) AS first_need_by_date,
    CAST(supplier['id'] AS VARCHAR) AS vendor_id,
    supplier['name'] AS vendor_name,
    supplier['number'] AS vendor_number,
    CAST(NULL AS VARCHAR) AS customer_id,
    CAST(employee['id'] AS VARCHAR) AS employee_id,
    employee['fullname'] AS employee_name,
    employee['email'] AS employee_email,
    CAST(requisition_header['id'] AS VARCHAR) AS requisition_id,
    CAST(NULL AS VARCHAR) AS memo,
    coalesce(total, live_total) AS total_amount,
    live_total AS sub_total,
    CAST(NULL AS DECIMAL(38, 9)) AS total_tax,
    CAST(NULL AS DECIMAL(38, 9)) AS total_discount,
    currency['code'] AS currency,
    CASE
        WHEN books_currency = currency['code'] THEN CAST(1 AS DECIMAL(38, 9))
        WHEN books_currency IS NOT NULL THEN divide_exact(
            list_sum(
                array_transform(
                    live,
                    l -> CASE WHEN l['total_line_amount'] IS NOT NULL THEN l['accounting_total'] END
                )
            ),
            list_sum(
                array_transform(
                    live,
                    l -> CASE WHEN l['accounting_total'] IS NOT NULL THEN l['total_line_amount'] END
                )
            )
        )
    END AS exchange_rate,
    CASE WHEN cardinality(accounting_currencies) <= 1 THEN live_accounting_total END AS accounting_total,
    books_currency AS accounting_currency,
    CAST(payment_term['id'] AS VARCHAR) AS payment_term_id,
    payment_term['code'] AS payment_term_name,
    shipping_term['code'] AS shipping_term,
    payment_method,
    NULLIF(concat_ws(
        ', ',
        coalesce(non_blank(ship_to_attention), non_blank(ship_to_address['attention'])),
        non_blank(ship_to_address['name']),
        non_blank(ship_to_address['street1']), non_blank(ship_to_address['street2']),
        non_blank(ship_to_address['street3']), non_blank(ship_to_address['street4']),
        non_blank(ship_to_address['city']), non_blank(ship_to_address['state']), non_blank(
            ship_to_address['postal_code']
        ),
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
    CASE WHEN cardinality(chart_ids) = 1 THEN CAST(chart_ids[1] AS VARCHAR) END AS company_id,
    CASE
        WHEN cardinality(chart_ids) = 1 THEN array_any_value(array_transform(charts, chart -> chart['name']))
    END AS company_name,
    CASE WHEN cardinality(periods) = 1 THEN periods[1] END AS accounting_period_id,
    transmission_status,
    confirmation_status,
    acknowledged_at,
    type IS NOT DISTINCT FROM 'ExternalOrderHeader' AS is_external,
    exported AS is_exported,
    last_exported_at,
    list_sum(
        array_transform(live, l -> CASE WHEN l['type'] = 'quantity' THEN l['quantity'] END)
    ) AS quantity_total,
    received AS amount_received,
    invoiced AS amount_invoiced,
    coalesce(total, live_total) - coalesce(invoiced, 0) AS amount_open,
    -- Only what all lines have in common describes the order.
    array_filter(
        line_items[1]['tracking_categories'],
        r -> NOT coalesce(array_any_match(line_tracking, ids -> NOT array_has(ids, r['id'])), false)
    ) AS tracking_categories,
    line_items,
    array_transform(
        list_sort_by(attachments, array_transform(attachments, a -> a['id'])),
        a -> named_struct(
            'id', CAST(a['id'] AS VARCHAR),
            'name', coalesce(non_blank(a['file_file_name']), non_blank(a['file']), non_blank(a['text'])),
            'url', coalesce(non_blank(a['file_url']), non_blank(a['url']))
        )
    ) AS attachments,
    _lineage
FROM totals
