-- Coupa invoices and credit notes to unified.invoices. Amounts keep the sign that Coupa delivers.
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
line_references AS (
    SELECT
        id AS invoice_id,
        unnest(range(1, CAST(cardinality(invoice_lines) AS BIGINT) + 1)) AS ordinal,
        unnest(array_transform(invoice_lines, l -> CAST(l['order_line_id'] AS VARCHAR))) AS order_line_id,
        unnest(
            array_transform(
                invoice_lines, l -> coalesce(non_blank(l['po_number']), non_blank(l['order_header_num']))
            )
        ) AS po_number
    FROM coupa.invoices
),
-- The order of each line: by its order line, else by the order's number; the oldest order wins where a
-- number stands twice.
line_orders AS (
    SELECT
        reference.invoice_id,
        reference.ordinal,
        coalesce(
            min(line.purchase_order_id), CAST(min(TRY_CAST(purchase_order.id AS BIGINT)) AS VARCHAR)
        ) AS purchase_order_id
    FROM line_references AS reference
    LEFT JOIN unified.purchase_order_lines AS line ON line.id = reference.order_line_id
    LEFT JOIN unified.purchase_orders AS purchase_order ON purchase_order.number = reference.po_number
    GROUP BY reference.invoice_id, reference.ordinal
),
-- Ids of orders, one for each line of an invoice, in the order in which the lines came.
orders AS (
    SELECT invoice_id, array_agg(purchase_order_id ORDER BY ordinal) AS order_ids
    FROM line_orders
    GROUP BY invoice_id
),
-- A credit note names its invoice by supplier and number; the date decides where a number was used again.
originals AS (
    SELECT
        wanted.id AS invoice_id,
        first_value(original.id ORDER BY
            CASE WHEN original.invoice_date = wanted.original_invoice_date THEN 0 ELSE 1 END,
            original.id
        ) AS original_id
    FROM (
        SELECT id, supplier['id'] AS supplier_id, original_invoice_number, original_invoice_date
        FROM coupa.invoices
        WHERE non_blank(original_invoice_number) IS NOT NULL AND supplier['id'] IS NOT NULL
    ) AS wanted
    JOIN (
        SELECT id, supplier['id'] AS supplier_id, invoice_number, invoice_date
        FROM current.invoices
        WHERE (
            status_key(document_type) IS DISTINCT FROM 'credit_note'
        ) AND (is_credit_note IS DISTINCT FROM true)
    ) AS original
        ON original.supplier_id = wanted.supplier_id
        AND original.invoice_number = wanted.original_invoice_number
        AND original.id <> wanted.id
    GROUP BY wanted.id
),
-- What other tables say, in narrow rows, so that the wide invoices stream past one join.
facts AS (
    SELECT invoice.id, word.status AS mapped_status, orders.order_ids, originals.original_id
    FROM coupa.invoices AS invoice
    LEFT JOIN words.invoices_status AS word
        ON word.remote_status = replace(status_key(invoice.status), 'canceled', 'cancelled')
    LEFT JOIN orders ON orders.invoice_id = invoice.id
    LEFT JOIN originals ON originals.invoice_id = invoice.id
),
ordered AS (
    SELECT
        i.*,
        facts.mapped_status,
        facts.original_id,
        tracked.segments,
        CAST(i.supplier['id'] AS VARCHAR) AS vendor,
        i.currency['code'] AS currency_code,
        array_transform(
            list_sort_by(
                arrays_zip(i.invoice_lines, facts.order_ids),
                array_transform(i.invoice_lines, l -> named_struct(
                    'number', TRY_CAST(l['line_num'] AS BIGINT),
                    'id', l['id']
                ))
            ),
            pair -> named_struct('line', pair['1'], 'order_id', pair['2'])
        ) AS paired_lines
    FROM tracked
    CROSS JOIN (facts JOIN coupa.invoices AS i ON i.id = facts.id)
),
typed AS (
    SELECT
        i.*,
        array_transform(paired_lines, p -> named_struct(
            'line', p['line'],
            'order_id', p['order_id'],
            'type', CASE
                WHEN lower(p['line']['type']) LIKE '%quantity%' THEN 'quantity'
                WHEN lower(p['line']['type']) LIKE '%amount%' THEN 'amount'
                WHEN p['line']['quantity'] IS NOT NULL THEN 'quantity'
                ELSE 'amount'
            END,
            'status', replace(status_key(p['line']['status']), 'canceled', 'cancelled'),
            'is_split', coalesce(cardinality(p['line']['account_allocations']) > 0, false),
            'accounts', CASE
                WHEN cardinality(p['line']['account_allocations']) > 0
                    THEN array_transform(p['line']['account_allocations'], a -> a['account'])
                ELSE make_array(p['line']['account'])
            END
        )) AS lines
    FROM ordered AS i
),
mapped AS (
    SELECT
        i.*,
        array_transform(lines, t -> named_struct(
            'id', CAST(t['line']['id'] AS VARCHAR),
            'line_number', t['line']['line_num'],
            'line_number_int', TRY_CAST(t['line']['line_num'] AS INT),
            'sub_line_number', CAST(NULL AS INT),
            'type', t['type'],
            'name', coalesce(non_blank(t['line']['item']['name']), non_blank(t['line']['description'])),
            'description', t['line']['description'],
            'item_id', CAST(t['line']['item']['id'] AS VARCHAR),
            'item_number', t['line']['item']['item_number'],
            'supplier_part_number', coalesce(
                non_blank(t['line']['source_part_num']), t['line']['order_line_source_part_num']),
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
            'tax_rate_id', CAST(coalesce(
                t['line']['tax_code']['id'],
                CASE
                    WHEN cardinality(t['line']['tax_lines']) = 1 THEN t['line']['tax_lines'][1]['tax_code']['id']
                END
            ) AS VARCHAR),
            'tax_amount', coalesce(
                t['line']['tax_amount'], list_sum(array_transform(t['line']['tax_lines'], x -> x['amount']))),
            'discount_amount', t['line']['discount_amount'],
            'currency', coalesce(t['line']['currency']['code'], i.currency_code),
            'exchange_rate', CASE
                WHEN t['line']['accounting_total_currency']['code']
                    = coalesce(t['line']['currency']['code'], i.currency_code) THEN CAST(1 AS DECIMAL(38, 9))
                WHEN t['line']['accounting_total_currency']['code'] IS NOT NULL
                    THEN divide_exact(t['line']['accounting_total'], t['line']['total'])
            END,
            'accounting_total', t['line']['accounting_total'],
            'accounting_currency', t['line']['accounting_total_currency']['code'],
            'need_by_date', CAST(NULL AS DATE),
            'status', t['status'],
            'match_type', CAST(NULL AS VARCHAR),
            'quantity_received', CAST(NULL AS DECIMAL(38, 9)),
            'amount_invoiced', CAST(NULL AS DECIMAL(38, 9)),
            'commodity_id', CAST(t['line']['commodity']['id'] AS VARCHAR),
            'commodity_name', t['line']['commodity']['name'],
            'contract_id', CAST(t['line']['contract']['id'] AS VARCHAR),
            'supplier_id', i.vendor,
            'period_id', CAST(t['line']['period']['id'] AS VARCHAR),
            'po_number', coalesce(
                non_blank(t['line']['po_number']),
                non_blank(t['line']['order_header_num'])
            ),
            'purchase_order_id', t['order_id'],
            'purchase_order_line_id', CAST(t['line']['order_line_id'] AS VARCHAR),
            'purchase_order_line_number', t['line']['order_line_num'],
            'category', t['line']['category'],
            'subcategory', t['line']['subcategory'],
            'deductibility', t['line']['deductibility'],
            'tax_rate', TRY_CAST(t['line']['tax_rate'] AS DECIMAL(16, 10)),
            'tax_description', t['line']['tax_description'],
            'withholding_amount', list_sum(array_transform(
                t['line']['withholding_tax_lines'], x -> coalesce(x['amount'], x['withholding_amount']))),
            'unspsc', t['line']['unspsc'],
            'adjustment_type', t['line']['adjustment_type'],
            'billing_note', t['line']['billing_note'],
            'match_reference', t['line']['match_reference'],
            'supply_date', t['line']['original_date_of_supply'],
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
                        array_filter(i.segments, s ->
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
            'tax_lines', array_transform(
                list_sort_by(t['line']['tax_lines'], array_transform(t['line']['tax_lines'], x -> x['id'])),
                x -> named_struct(
                    'id', CAST(x['id'] AS VARCHAR),
                    'code', coalesce(non_blank(x['code']), x['tax_code']['code']),
                    'description', x['description'], 'rate', TRY_CAST(x['rate'] AS DECIMAL(16, 10)),
                    'amount', x['amount'], 'basis', coalesce(x['base'], x['taxable_amount'], x['basis']),
                    'type', x['type'], 'withholding_amount', x['withholding_amount']
                )
            ),
            'tracking_categories', array_concat(
                array_distinct(flatten(array_transform(t['accounts'], c -> array_transform(
                    array_filter(i.segments, s ->
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
        )) AS line_items,
        array_transform(
            list_sort_by(i.invoice_charges, array_transform(i.invoice_charges, c -> named_struct(
                'number', TRY_CAST(c['line_num'] AS BIGINT), 'id', c['id']
            ))),
            c -> named_struct(
                'id', CAST(c['id'] AS VARCHAR),
                'line_number', c['line_num'],
                'type', CASE
                    WHEN lower(c['type']) LIKE '%shipping%' THEN 'shipping'
                    WHEN lower(c['type']) LIKE '%handling%' THEN 'handling'
                    WHEN lower(c['type']) LIKE '%misc%' THEN 'misc'
                    WHEN lower(c['type']) LIKE '%tax%' THEN 'tax'
                    ELSE 'other'
                END,
                'description', c['description'],
                'total', c['total'],
                'tax_amount', list_sum(array_transform(c['tax_lines'], x -> x['amount'])),
                'account_id', CASE
                    WHEN coalesce(
                        cardinality(c['account_allocations']),
                        0
                    ) = 0 THEN CAST(c['account']['id'] AS VARCHAR)
                END,
                'account_code', CASE
                    WHEN coalesce(cardinality(c['account_allocations']), 0) = 0 THEN c['account']['code']
                END,
                'is_split', coalesce(cardinality(c['account_allocations']), 0) > 0,
                'allocations', array_transform(
                    list_sort_by(
                        c['account_allocations'], array_transform(c['account_allocations'], a -> a['id'])
                    ),
                    a -> named_struct(
                        'id', CAST(a['id'] AS VARCHAR),
                        'account_id', CAST(a['account']['id'] AS VARCHAR),
                        'account_code', a['account']['code'],
                        'amount', a['amount'], 'pct', a['pct'],
                        'period_id', CAST(a['period']['id'] AS VARCHAR), 'period_name', a['period']['name'],
                        'tracking', array_transform(
                            array_filter(i.segments, s ->
                                (
                                    s['chart'] IS NULL OR s['chart'] = CAST(
                                        a['account']['account_type']['id'] AS VARCHAR
                                    )
                                )
                                AND non_blank(
                                    split_part(a['account']['code'], '-', s['position'])
                                ) IS NOT NULL),
                            s -> named_struct(
                                'id', concat(
                                    'segment:', CAST(a['account']['account_type']['id'] AS VARCHAR), ':',
                                    CAST(s['position'] AS VARCHAR), ':',
                                    split_part(a['account']['code'], '-', s['position'])
                                ),
                                'name', coalesce(
                                    s['label'],
                                    concat('segment_', CAST(s['position'] AS VARCHAR))
                                ),
                                'option', split_part(a['account']['code'], '-', s['position']),
                                'category_type', 'account_segment',
                                'code', split_part(a['account']['code'], '-', s['position'])
                            )
                        )
                    )
                ),
                'tax_lines', array_transform(
                    list_sort_by(c['tax_lines'], array_transform(c['tax_lines'], x -> x['id'])),
                    x -> named_struct(
                        'id', CAST(x['id'] AS VARCHAR),
                        'code', coalesce(non_blank(x['code']), x['tax_code']['code']),
                        'description', x['description'], 'rate', TRY_CAST(x['rate'] AS DECIMAL(16, 10)),
                        'amount', x['amount'], 'basis', coalesce(x['base'], x['taxable_amount'], x['basis']),
                        'type', x['type'], 'withholding_amount', x['withholding_amount']
                    )
                )
            )
        ) AS charges,
        list_sum(array_transform(i.payments, p -> p['amount_paid'])) AS paid_sum
    FROM typed AS i
),
summed AS (
    SELECT
        i.*,
        coalesce(i.gross_total, i.total_with_taxes) AS gross,
        list_sum(array_transform(i.line_items, l -> l['total_line_amount'])) AS lines_total,
        -- A line without tax lines may still say how much tax it bears.
        list_sum(array_concat(
            array_transform(i.lines, t -> coalesce(
                list_sum(
                    array_transform(t['line']['tax_lines'], x -> x['amount'])
                ), t['line']['tax_amount'])),
            array_transform(i.charges, c -> c['tax_amount'])
        )) AS tax_sum,
        -- With taxes by line, charges are rows of their own and the header's amounts stay at zero.
        coalesce(
            NULLIF(i.shipping_amount, 0),
            list_sum(array_transform(i.charges, c -> CASE WHEN c['type'] = 'shipping' THEN c['total'] END)),
            i.shipping_amount
        ) AS shipping,
        coalesce(
            NULLIF(i.handling_amount, 0),
            list_sum(array_transform(i.charges, c -> CASE WHEN c['type'] = 'handling' THEN c['total'] END)),
            i.handling_amount
        ) AS handling,
        coalesce(
            NULLIF(i.misc_amount, 0),
            list_sum(array_transform(i.charges, c -> CASE WHEN c['type'] = 'misc' THEN c['total'] END)),
            i.misc_amount
        ) AS misc,
        list_sum(
            array_transform(i.charges, c -> CASE WHEN c['type'] = 'other' THEN c['total'] END)
        ) AS other_charges,
        array_distinct(
            array_compact(array_transform(i.line_items, l -> l['accounting_currency']))
        ) AS accounting_currencies,
        array_distinct(array_compact(array_transform(i.line_items, l -> l['period_id']))) AS periods,
        array_distinct(array_transform(i.line_items, l -> l['tracking_categories'])) AS tracking_sets,
        coalesce(i.paid, false) AS is_paid
    FROM mapped AS i
),
totals AS (
    SELECT
        i.*,
        coalesce(shipping, 0) + coalesce(handling, 0) + coalesce(misc, 0)
            + coalesce(other_charges, 0) AS charges_total,
        CASE WHEN line_level_taxation THEN coalesce(tax_sum, tax_amount) ELSE tax_amount END AS stated_tax,
        CASE WHEN cardinality(accounting_currencies) = 1 THEN accounting_currencies[1] END AS books_currency,
        divide_exact(
            list_sum(
                array_transform(
                    line_items,
                    l -> CASE WHEN l['total_line_amount'] IS NOT NULL THEN l['accounting_total'] END
                )
            ),
            list_sum(
                array_transform(
                    line_items,
                    l -> CASE WHEN l['accounting_total'] IS NOT NULL THEN l['total_line_amount'] END
                )
            )
        ) AS lines_rate
    FROM summed AS i
)
SELECT
    CAST(id AS VARCHAR) AS id,
    created_at,
    updated_at,
    CAST(created_by['id'] AS VARCHAR) AS created_by_id,
    CAST(updated_by['id'] AS VARCHAR) AS updated_by_id,
    CASE
        WHEN canceled THEN 'voided'
        WHEN mapped_status IN ('voided', 'deleted', 'draft') THEN mapped_status
        WHEN is_paid THEN 'paid'
        ELSE mapped_status
    END AS status,
    status AS remote_status,
    custom_fields,
    'bill' AS type,
    CASE
        WHEN status_key(document_type) = 'credit_note' THEN 'credit_note'
        WHEN status_key(document_type) = 'invoice' THEN 'invoice'
        WHEN non_blank(document_type) IS NULL AND is_credit_note THEN 'credit_note'
        WHEN non_blank(document_type) IS NULL THEN 'invoice'
    END AS document_type,
    invoice_number AS number,
    series,
    invoice_date AS issue_date,
    net_due_date AS due_date,
    discount_due_date,
    date_received AS received_date,
    delivery_date,
    CASE
        WHEN is_paid OR cardinality(payments) > 0
            THEN coalesce(payment_date, array_max(array_transform(payments, p -> p['payment_date'])))
    END AS paid_on_date,
    CAST(supplier['id'] AS VARCHAR) AS vendor_id,
    supplier['name'] AS vendor_name,
    supplier['number'] AS vendor_number,
    CAST(supplier['id'] AS VARCHAR) AS contact_id,
    supplier['name'] AS contact_name,
    'vendor' AS contact_type,
    CAST(account_type['id'] AS VARCHAR) AS company_id,
    account_type['name'] AS company_name,
    account_type['legal_entity_name'] AS legal_entity,
    CAST(requested_by['id'] AS VARCHAR) AS employee_id,
    requested_by['fullname'] AS employee_name,
    coalesce(non_blank(internal_note), non_blank(comments)) AS memo,
    supplier_note,
    currency['code'] AS currency,
    coalesce(
        exchange_rate,
        CASE
            WHEN books_currency = currency['code'] THEN CAST(1 AS DECIMAL(38, 9))
            WHEN books_currency IS NOT NULL THEN lines_rate
        END
    ) AS exchange_rate,
    CASE
        WHEN exchange_rate IS NOT NULL THEN 'reported'
        WHEN books_currency = currency['code'] THEN 'same_currency'
        WHEN books_currency IS NOT NULL AND lines_rate IS NOT NULL THEN 'lines'
    END AS exchange_rate_source,
    CASE
        WHEN cardinality(accounting_currencies) <= 1
            THEN list_sum(array_transform(line_items, l -> l['accounting_total']))
    END AS accounting_total,
    books_currency AS accounting_currency,
    coalesce(lines_total, gross - coalesce(stated_tax, 0) - charges_total) AS sub_total,
    coalesce(stated_tax, total_with_taxes - lines_total - charges_total) AS total_tax_amount,
    discount_amount AS total_discount,
    shipping AS shipping_amount,
    handling AS handling_amount,
    misc AS misc_amount,
    coalesce(
        NULLIF(withholding_tax_override, 0),
        list_sum(array_transform(withholding_tax_lines, x -> coalesce(x['amount'], x['withholding_amount']))),
        list_sum(array_transform(line_items, l -> l['withholding_amount'])),
        withholding_tax_override
    ) AS withholding_amount,
    gross AS total_amount,
    coalesce(paid_sum, CASE WHEN NOT is_paid THEN CAST(0 AS DECIMAL(38, 9)) END) AS amount_paid,
    CASE WHEN is_paid THEN CAST(0 AS DECIMAL(38, 9)) ELSE gross - coalesce(paid_sum, 0) END AS balance,
    CASE
        WHEN is_paid THEN 'paid'
        WHEN paid_sum > 0 AND paid_sum < gross THEN 'partially_paid'
        ELSE 'unpaid'
    END AS payment_status,
    array_transform(
        list_sort_by(
            payments, array_transform(payments, p -> named_struct('date', p['payment_date'], 'id', p['id']))
        ),
        p -> named_struct(
            'id', CAST(p['id'] AS VARCHAR), 'amount', p['amount_paid'], 'date', p['payment_date'],
            'reference', coalesce(non_blank(p['check_number']), non_blank(p['notes'])),
            'notes', p['notes']
        )
    ) AS payments,
    CAST(payment_term['id'] AS VARCHAR) AS payment_term_id,
    payment_term['code'] AS payment_term_name,
    payment_method,
    shipping_term['code'] AS shipping_term,
    CAST(contract['id'] AS VARCHAR) AS contract_id,
    CAST(original_id AS VARCHAR) AS original_invoice_id,
    original_invoice_number,
    original_invoice_date,
    credit_reason,
    array_distinct(
        array_compact(array_transform(line_items, l -> l['purchase_order_id']))
    ) AS purchase_order_ids,
    array_distinct(array_compact(array_transform(line_items, l -> l['po_number']))) AS purchase_order_numbers,
    CASE WHEN cardinality(periods) = 1 THEN periods[1] END AS accounting_period_id,
    line_level_taxation,
    array_transform(
        list_sort_by(tax_lines, array_transform(tax_lines, x -> x['id'])),
        x -> named_struct(
            'id', CAST(x['id'] AS VARCHAR), 'code', coalesce(non_blank(x['code']), x['tax_code']['code']),
            'description', x['description'], 'rate', TRY_CAST(x['rate'] AS DECIMAL(16, 10)),
            'amount', x['amount'], 'basis', coalesce(x['base'], x['taxable_amount'], x['basis']),
            'type', x['type'], 'withholding_amount', x['withholding_amount']
        )
    ) AS tax_lines,
    charges,
    -- Only what holds for every line describes the invoice.
    CASE WHEN array_length(tracking_sets) = 1 THEN tracking_sets[1] END AS tracking_categories,
    CASE WHEN bill_to_address IS NOT NULL THEN named_struct(
        'id', CAST(bill_to_address['id'] AS VARCHAR), 'name', bill_to_address['name'], 'type', 'bill_to',
        'street_1', bill_to_address['street1'], 'street_2', bill_to_address['street2'],
        'street_3', bill_to_address['street3'], 'street_4', bill_to_address['street4'],
        'city', bill_to_address['city'],
        'state', bill_to_address['state'],
        'state_code', bill_to_address['state_iso_code'],
        'country', bill_to_address['country']['name'], 'country_code', bill_to_address['country']['code'],
        'postal_code', bill_to_address['postal_code'], 'location_code', bill_to_address['location_code'],
        'attention', bill_to_address['attention']
    ) END AS bill_to,
    CASE WHEN ship_to_address IS NOT NULL THEN named_struct(
        'id', CAST(ship_to_address['id'] AS VARCHAR), 'name', ship_to_address['name'], 'type', 'ship_to',
        'street_1', ship_to_address['street1'], 'street_2', ship_to_address['street2'],
        'street_3', ship_to_address['street3'], 'street_4', ship_to_address['street4'],
        'city', ship_to_address['city'],
        'state', ship_to_address['state'],
        'state_code', ship_to_address['state_iso_code'],
        'country', ship_to_address['country']['name'], 'country_code', ship_to_address['country']['code'],
        'postal_code', ship_to_address['postal_code'], 'location_code', ship_to_address['location_code'],
        'attention', ship_to_address['attention']
    ) END AS ship_to,
    CASE WHEN remit_to_address IS NOT NULL THEN named_struct(
        'id', CAST(remit_to_address['id'] AS VARCHAR), 'name', remit_to_address['name'], 'type', 'remit_to',
        'street_1', remit_to_address['street1'], 'street_2', remit_to_address['street2'],
        'street_3', remit_to_address['street3'], 'street_4', remit_to_address['street4'],
        'city', remit_to_address['city'],
        'state', remit_to_address['state'],
        'state_code', remit_to_address['state_iso_code'],
        'country', remit_to_address['country']['name'], 'country_code', remit_to_address['country']['code'],
        'postal_code', remit_to_address['postal_code'], 'location_code', remit_to_address['remit_to_code'],
        'attention', CAST(NULL AS VARCHAR)
    ) END AS remit_to,
    exported AS is_exported,
    last_exported_at,
    array_transform(
        list_sort_by(attachments, array_transform(attachments, a -> a['id'])),
        a -> named_struct(
            'id', CAST(a['id'] AS VARCHAR),
            'name', coalesce(non_blank(a['file_file_name']), non_blank(a['file']), non_blank(a['text'])),
            'url', coalesce(non_blank(a['file_url']), non_blank(a['url']))
        )
    ) AS attachments,
    image_scan_url,
    line_items,
    _lineage
FROM totals
