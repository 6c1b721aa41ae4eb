-- Expense lines by allocation, as spend.
WITH line AS (
    SELECT
        l.id,
        l.expense_report_id,
        l.ordinal,
        l.merchant,
        coalesce(non_blank(l.description), l.reason) AS description,
        l.expense_date,
        l.currency,
        l.accounting_total,
        l.accounting_currency,
        l.amount AS claimed,
        coalesce(l.tax_amount, 0) AS tax,
        coalesce(l.approved_amount, l.amount, 0) - coalesce(l.tax_amount, 0) AS net,
        coalesce(l.is_card, false) AS is_card,
        l.purchase_order_line_id,
        coalesce(l.employee_id, r.employee_id) AS employee_id,
        l.company_id,
        l.account_id,
        l.category_name,
        r.submitted_by_id,
        r.issue_date AS report_date,
        r.paid_on_date,
        CASE WHEN r.is_paid THEN 'paid' ELSE 'unpaid' END AS payment_status,
        r.status,
        CASE
            WHEN r.is_deleted THEN 'deleted at the source'
            WHEN r.status IN ('draft', 'deleted') THEN status_key(r.remote_status)
            WHEN parent.id IS NOT NULL THEN 'counted by its parts'
            WHEN billed.order_line_id IS NOT NULL THEN 'counted as an invoice'
        END AS ended,
        array_filter(l.tracking_categories, t -> lower(t['name']) LIKE '%project%') AS projects
    FROM unified.expense_lines AS l
    JOIN unified.expense_reports AS r ON r.id = l.expense_report_id
    LEFT JOIN (
        SELECT DISTINCT parent_line_id AS id FROM unified.expense_lines WHERE parent_line_id IS NOT NULL
    ) AS parent ON parent.id = l.id
    -- What was ordered and billed is counted there.
    LEFT JOIN (
        SELECT DISTINCT m.order_line_id
        FROM report.po_invoice_match AS m
        JOIN unified.invoices AS i ON i.id = m.invoice_id
        WHERE m.consumes AND i.status IN ('authorised', 'paid')
    ) AS billed ON billed.order_line_id = l.purchase_order_line_id
),
-- The net amount by the weight of the allocations; what they reach together is exact at the end.
shared AS (
    SELECT
        a.*,
        l.net,
        sum(coalesce(a.amount, 0)) OVER (
            PARTITION BY a.expense_report_id, a.line_ordinal ORDER BY a.ordinal
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS reached,
        sum(coalesce(a.amount, 0)) OVER (PARTITION BY a.expense_report_id, a.line_ordinal) AS whole
    FROM (
        SELECT id, expense_report_id, line_ordinal, ordinal, account_id, account_code, period_name, amount
        FROM unified.expense_line_allocations
    ) AS a
    JOIN line AS l ON l.expense_report_id = a.expense_report_id AND l.ordinal = a.line_ordinal
),
piece AS (
    SELECT
        *,
        CASE
            WHEN whole = 0 THEN CASE WHEN ordinal = 1 THEN net ELSE 0 END
            ELSE divide_exact(multiply_exact(net, reached), whole)
                - divide_exact(multiply_exact(net, reached - coalesce(amount, 0)), whole)
        END AS amount_doc
    FROM shared
),
described AS (
    SELECT
        concat('exp:', l.id, ':', p.id) AS spend_line_id,
        p.ordinal = 1 AS is_first,
        p.period_name,
        p.amount_doc,
        l.*,
        coalesce(l.expense_date, l.report_date) AS spend_date,
        coalesce(p.account_id, l.account_id) AS charged_to,
        coalesce(p.account_code, account.code) AS code,
        account.name AS account_name,
        account.legal_entity_name,
        account.company_id AS chart,
        s.reporting_currency,
        s.decimals,
        s.fiscal_year_start,
        daily.rate AS reporting_rate,
        person.department_id,
        approver.id AS approver_id,
        rule.reason AS rule_reason
    FROM piece AS p
    JOIN line AS l ON l.expense_report_id = p.expense_report_id AND l.ordinal = p.line_ordinal
    CROSS JOIN report.settings AS s
    LEFT JOIN unified.accounts AS account ON account.id = coalesce(p.account_id, l.account_id)
    LEFT JOIN unified.employees AS person ON person.id = l.employee_id
    LEFT JOIN report.daily_rates AS daily
        ON daily.from_currency = l.currency
        AND daily.to_currency = s.reporting_currency
        AND daily.day = coalesce(l.expense_date, l.report_date)
    LEFT JOIN (
        SELECT document_id, coalesce(approved_by_id, approver_id) AS id
        FROM (
            SELECT
                *,
                row_number() OVER (
                    PARTITION BY document_id
                    ORDER BY approved_at DESC NULLS LAST, position DESC NULLS LAST, TRY_CAST(id AS BIGINT) DESC
                ) AS place
            FROM unified.approvals
            WHERE document_type = 'expense_report' AND status = 'approved' AND NOT is_deleted
        )
        WHERE place = 1
    ) AS approver ON approver.document_id = l.expense_report_id
    LEFT JOIN (
        SELECT a.id, min(w.reason) AS reason
        FROM unified.accounts AS a
        JOIN words.spend_lines_left_out AS w
            ON (w.column_name = 'account_name' AND lower(a.name) LIKE w.pattern)
            OR (w.column_name = 'account_code' AND a.code LIKE w.pattern)
        GROUP BY a.id
    ) AS rule ON rule.id = coalesce(p.account_id, l.account_id)
),
valued AS (
    SELECT
        *,
        coalesce(ended, rule_reason) AS left_out_because,
        round_to(
            CASE
                WHEN currency = reporting_currency THEN amount_doc
                WHEN accounting_currency = reporting_currency AND claimed <> 0
                    THEN divide_exact(multiply_exact(amount_doc, accounting_total), claimed)
                WHEN amount_doc = 0 THEN amount_doc
                ELSE multiply_exact(amount_doc, reporting_rate)
            END,
            decimals
        ) AS amount
    FROM described
)
SELECT
    v.spend_line_id,
    CASE WHEN v.is_card THEN 'pcard' ELSE 'expense' END AS channel,
    CASE
        WHEN v.left_out_because IS NOT NULL THEN 'left_out'
        WHEN v.status IN ('authorised', 'paid') THEN 'counted'
        ELSE 'in_process'
    END AS state,
    v.left_out_because,
    CAST(NULL AS VARCHAR) AS invoice_id,
    CAST(NULL AS VARCHAR) AS invoice_line_id,
    v.expense_report_id,
    v.id AS expense_line_id,
    v.expense_report_id AS document_number,
    v.spend_date,
    CAST(date_trunc('month', v.spend_date) AS DATE) AS spend_month,
    concat(CAST(date_part('year', v.spend_date) AS VARCHAR), '-Q', CAST(date_part('quarter', v.spend_date) AS VARCHAR))
        AS spend_quarter,
    CAST(date_part('year', v.spend_date) AS INT) AS spend_year,
    to_char(v.spend_date, '%G-W%V') AS iso_week,
    CAST(
        date_part('year', v.spend_date)
        + CASE
            WHEN v.fiscal_year_start > 1 AND date_part('month', v.spend_date) >= v.fiscal_year_start THEN 1
            ELSE 0
        END AS INT
    ) AS fiscal_year,
    CAST((date_part('month', v.spend_date) - v.fiscal_year_start + 12) % 12 + 1 AS INT) AS fiscal_month,
    v.period_name,
    v.report_date AS received_date,
    CAST(NULL AS DATE) AS due_date,
    v.paid_on_date AS paid_on,
    v.payment_status,
    v.amount_doc,
    v.currency,
    v.amount,
    v.reporting_currency,
    v.amount IS NULL AS is_fx_missing,
    CASE WHEN v.is_first THEN v.tax END AS tax,
    CAST(NULL AS VARCHAR) AS vendor_id,
    v.merchant AS vendor_name,
    vendor_key(v.merchant) AS vendor_key,
    CAST(NULL AS VARCHAR) AS vendor_parent_id,
    CAST(NULL AS VARCHAR) AS vendor_parent_name,
    CAST(NULL AS VARCHAR) AS commodity_id,
    v.category_name AS commodity_name,
    v.category_name AS commodity_root,
    v.category_name AS commodity_path,
    v.charged_to AS account_id,
    v.code AS account_code,
    v.account_name,
    non_blank(split_part(v.code, '-', 1)) AS account_segment_1,
    non_blank(split_part(v.code, '-', 2)) AS account_segment_2,
    non_blank(split_part(v.code, '-', 3)) AS account_segment_3,
    non_blank(split_part(v.code, '-', 4)) AS account_segment_4,
    non_blank(split_part(v.code, '-', 5)) AS account_segment_5,
    coalesce(v.chart, v.company_id) AS company_id,
    v.legal_entity_name AS legal_entity,
    v.department_id,
    department.name AS department_name,
    v.projects[1]['option'] AS project,
    CAST(NULL AS VARCHAR) AS location,
    CAST(NULL AS VARCHAR) AS item_id,
    v.description,
    CAST(NULL AS DECIMAL(38, 9)) AS quantity,
    CAST(NULL AS VARCHAR) AS uom,
    CAST(NULL AS DECIMAL(38, 9)) AS unit_price,
    CAST(NULL AS VARCHAR) AS purchase_order_id,
    v.purchase_order_line_id,
    CAST(NULL AS VARCHAR) AS contract_id,
    CAST(NULL AS VARCHAR) AS match_status,
    v.employee_id AS requester_id,
    CAST(NULL AS VARCHAR) AS buyer_id,
    v.approver_id,
    coalesce(v.employee_id, v.submitted_by_id) AS user_id
FROM valued AS v
LEFT JOIN unified.departments AS department ON department.id = v.department_id
