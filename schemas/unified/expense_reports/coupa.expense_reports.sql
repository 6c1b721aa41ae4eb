-- Coupa expense reports to unified.expense_reports.
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
reports AS (
    SELECT e.*, word.status AS mapped_status
    FROM words.expense_reports_status AS word
    RIGHT JOIN coupa.expense_reports AS e ON word.remote_status = status_key(e.status)
),
ordered AS (
    SELECT
        e.*,
        tracked.segments,
        e.currency['code'] AS currency_code,
        CAST(e.expensed_by['id'] AS VARCHAR) AS expensed_by_id,
        array_transform(
            list_sort_by(
                e.expense_lines,
                array_transform(e.expense_lines, l -> named_struct('number', l['line_number'], 'id', l['id']))
            ),
            l -> named_struct(
                'line', l,
                'is_split', coalesce(cardinality(l['account_allocations']) > 0, false),
                'accounts', CASE
                    WHEN cardinality(l['account_allocations']) > 0
                        THEN array_transform(l['account_allocations'], a -> a['account'])
                    ELSE make_array(l['account'])
                END
            )
        ) AS lines
    FROM tracked
    CROSS JOIN reports AS e
),
mapped AS (
    SELECT
        e.*,
        array_transform(lines, t -> named_struct(
            'id', CAST(t['line']['id'] AS VARCHAR),
            'line_number', CAST(t['line']['line_number'] AS VARCHAR),
            'type', t['line']['type'],
            'status', status_key(t['line']['status']),
            'expense_date', t['line']['expense_date'],
            'start_date', t['line']['start_date'],
            'end_date', t['line']['end_date'],
            'merchant', t['line']['merchant'],
            'description', t['line']['description'],
            'reason', t['line']['reason'],
            'category_id', CAST(t['line']['expense_category']['id'] AS VARCHAR),
            'category_name', t['line']['expense_category']['name'],
            'amount', t['line']['amount'],
            'approved_amount', t['line']['approved_amount'],
            'currency', coalesce(t['line']['currency']['code'], e.currency_code),
            'foreign_amount', t['line']['foreign_currency_amount'],
            'foreign_currency', t['line']['foreign_currency']['code'],
            'exchange_rate', t['line']['exchange_rate'],
            'accounting_total', t['line']['accounting_total'],
            'accounting_currency', t['line']['accounting_total_currency']['code'],
            'reporting_total', t['line']['reporting_total'],
            'receipt_total', t['line']['receipt_total_amount'],
            'tax_amount', list_sum(array_transform(t['line']['expense_line_taxes'], x -> x['amount'])),
            'audit_status', coalesce(
                json_text(t['line']['audit_status']),
                json_get(t['line']['audit_status'], 'name'),
                json_get(t['line']['audit_status'], 'status')
            ),
            'frugality', t['line']['frugality'],
            'is_over_limit', t['line']['over_limit'],
            'is_receipt_required', t['line']['requires_receipt'],
            'is_reimbursable', t['line']['employee_reimbursable'],
            -- A company card paid for what was imported or charged to a virtual card.
            'is_card', coalesce(
                json_get(t['line']['expense_line_imported_data'], 'id'),
                json_get(t['line']['expense_line_virtual_card'], 'id')
            ) IS NOT NULL,
            'parent_line_id', CAST(t['line']['parent_expense_line_id'] AS VARCHAR),
            'purchase_order_line_id', CAST(t['line']['order_line_id'] AS VARCHAR),
            'employee_id', coalesce(CAST(t['line']['expensed_by']['id'] AS VARCHAR), e.expensed_by_id),
            'account_id', CASE WHEN NOT t['is_split'] THEN CAST(t['line']['account']['id'] AS VARCHAR) END,
            'account_code', CASE WHEN NOT t['is_split'] THEN t['line']['account']['code'] END,
            'company_id', CAST(
                array_any_value(array_transform(t['accounts'], a -> a['account_type']['id'])) AS VARCHAR
            ),
            'period_id', CAST(t['line']['period']['id'] AS VARCHAR),
            'external_reference', t['line']['external_src_ref'],
            'has_receipt', coalesce(cardinality(t['line']['expense_artifacts']) > 0, false),
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
                        array_filter(e.segments, s ->
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
                array_distinct(flatten(array_transform(t['accounts'], c -> array_transform(
                    array_filter(e.segments, s ->
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
    FROM ordered AS e
)
SELECT
    CAST(id AS VARCHAR) AS id,
    created_at,
    updated_at,
    CAST(created_by['id'] AS VARCHAR) AS created_by_id,
    CAST(updated_by['id'] AS VARCHAR) AS updated_by_id,
    CASE WHEN paid THEN 'paid' ELSE mapped_status END AS status,
    status AS remote_status,
    custom_fields,
    CAST(id AS VARCHAR) AS number,
    title,
    -- The day as Coupa wrote it; the timestamps themselves are already in UTC.
    TRY_CAST(
        left(coalesce(json_get(_raw, 'submitted_at'), json_get(_raw, 'created_at')), 10) AS DATE
    ) AS issue_date,
    submitted_at,
    CAST(expensed_by['id'] AS VARCHAR) AS employee_id,
    expensed_by['fullname'] AS employee_name,
    expensed_by['email'] AS employee_email,
    CAST(submitted_by['id'] AS VARCHAR) AS submitted_by_id,
    currency_code AS currency,
    coalesce(total, list_sum(array_transform(line_items, l -> l['amount']))) AS total_amount,
    reimbursable_total_amount AS reimbursable_amount,
    reimbursable_total_currency['code'] AS reimbursable_currency,
    coalesce(paid, false) AS is_paid,
    payment['payment_date'] AS paid_on_date,
    payment['amount_paid'] AS amount_paid,
    payment_channel,
    TRY_CAST(audit_score AS INT) AS audit_score,
    auditor_note,
    reject_reason,
    past_due AS is_past_due,
    report_due_date,
    is_trip,
    start_date,
    end_date,
    NULLIF(expense_policy_violations, '[]') AS policy_violations,
    erp_document_id,
    exported AS is_exported,
    last_exported_at,
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
    line_items,
    _lineage
FROM mapped
