-- Invoice lines by allocation, and charges, as spend.
WITH document AS (
    SELECT
        i.*,
        CASE WHEN i.document_type IS NOT DISTINCT FROM 'credit_note' THEN true ELSE false END AS is_credit,
        CASE
            WHEN i.is_deleted THEN 'deleted at the source'
            WHEN i.status = 'deleted' THEN status_key(i.remote_status)
            WHEN i.status IN ('draft', 'voided') THEN i.status
        END AS ended
    FROM (
        SELECT
            id, number, document_type, status, remote_status, is_deleted, vendor_id, vendor_name, company_id,
            legal_entity, employee_id, created_by_id, currency, accounting_currency, exchange_rate, issue_date,
            created_at, received_date, due_date, paid_on_date, payment_status, contract_id, total_tax_amount,
            shipping_amount, handling_amount, misc_amount,
            coalesce(non_blank(ship_to['location_code']), ship_to['city']) AS location
        FROM unified.invoices
    ) AS i
),
line AS (
    SELECT
        l.invoice_id,
        l.ordinal,
        l.id,
        m.line_net AS net,
        -- Where the whole line changes its sign, its parts do.
        CASE WHEN m.line_net <> l.total_line_amount THEN -1 ELSE 1 END AS flip,
        l.total_line_amount AS total,
        l.accounting_total,
        l.accounting_currency,
        coalesce(l.tax_amount, 0) AS tax,
        coalesce(money.decimals, 2) AS decimals
    FROM unified.invoice_lines AS l
    JOIN report.po_invoice_match AS m ON m.invoice_id = l.invoice_id AND m.line_ordinal = l.ordinal
    LEFT JOIN (SELECT code, max(decimals) AS decimals FROM unified.currencies GROUP BY code) AS money
        ON money.code = m.currency
),
-- Amounts as they are given; percentages by what they reach together, so that the parts add up to the cent.
shared AS (
    SELECT
        *,
        sum(CASE WHEN amount IS NULL THEN pct ELSE 0 END) OVER (
            PARTITION BY invoice_id, line_ordinal ORDER BY ordinal
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS reached
    FROM (
        SELECT
            id, invoice_id, line_ordinal, ordinal, is_synthetic, account_id, account_code, period_name, amount,
            coalesce(round_half_even(pct), 100) AS pct
        FROM unified.invoice_line_allocations
    )
),
allocation AS (
    SELECT
        a.id,
        a.invoice_id,
        a.line_ordinal,
        a.ordinal,
        a.account_id,
        a.account_code,
        a.period_name,
        CASE
            WHEN a.is_synthetic THEN l.net
            WHEN a.amount IS NOT NULL THEN a.amount * l.flip
            ELSE CASE
                WHEN abs(a.reached - 100) <= CAST('0.000001' AS DECIMAL(38, 9)) THEN l.net
                ELSE round_to(divide_exact(multiply_exact(l.net, a.reached), 100), l.decimals)
            END - round_to(divide_exact(multiply_exact(l.net, a.reached - a.pct), 100), l.decimals)
        END AS amount_doc
    FROM shared AS a
    JOIN line AS l ON l.invoice_id = a.invoice_id AND l.ordinal = a.line_ordinal
),
rest AS (
    SELECT l.invoice_id, l.ordinal AS line_ordinal, l.net - coalesce(a.amount_doc, 0) AS amount_doc
    FROM line AS l
    LEFT JOIN (
        SELECT invoice_id, line_ordinal, sum(amount_doc) AS amount_doc
        FROM allocation
        GROUP BY invoice_id, line_ordinal
    ) AS a ON a.invoice_id = l.invoice_id AND a.line_ordinal = l.ordinal
    WHERE l.net <> coalesce(a.amount_doc, 0)
),
charge AS (
    SELECT
        c.invoice_id,
        c.one['kind'] AS kind,
        CASE WHEN c.is_credit THEN -abs(c.one['amount']) ELSE c.one['amount'] END AS amount_doc,
        of_kind.account_id,
        of_kind.account_code
    FROM (
        SELECT
            d.id AS invoice_id,
            d.is_credit,
            unnest(make_array(
                named_struct('kind', 'shipping', 'amount', coalesce(d.shipping_amount, 0)),
                named_struct('kind', 'handling', 'amount', coalesce(d.handling_amount, 0)),
                named_struct('kind', 'misc', 'amount', coalesce(d.misc_amount, 0)),
                named_struct('kind', 'other', 'amount', coalesce(other.total, 0))
            )) AS one
        FROM document AS d
        LEFT JOIN (
            SELECT invoice_id, sum(total) AS total FROM unified.invoice_charges WHERE type = 'other' GROUP BY invoice_id
        ) AS other ON other.invoice_id = d.id
    ) AS c
    LEFT JOIN (
        SELECT invoice_id, type, min(account_id) AS account_id, min(account_code) AS account_code
        FROM unified.invoice_charges
        GROUP BY invoice_id, type
        HAVING count(DISTINCT account_id) = 1
    ) AS of_kind ON of_kind.invoice_id = c.invoice_id AND of_kind.type = c.one['kind']
    WHERE c.one['amount'] <> 0
),
header_tax AS (
    SELECT
        d.id AS invoice_id,
        CASE WHEN d.is_credit THEN -abs(d.total_tax_amount) ELSE d.total_tax_amount END
            - CASE WHEN d.is_credit THEN -abs(coalesce(t.tax, 0)) ELSE coalesce(t.tax, 0) END AS tax
    FROM document AS d
    LEFT JOIN (SELECT invoice_id, sum(tax) AS tax FROM line GROUP BY invoice_id) AS t ON t.invoice_id = d.id
),
piece AS (
    SELECT
        concat('inv:', l.id, ':', a.id) AS spend_line_id,
        a.invoice_id,
        a.line_ordinal,
        a.ordinal = 1 AS is_first,
        a.account_id,
        a.account_code,
        a.period_name,
        a.amount_doc,
        CASE WHEN a.ordinal = 1 THEN l.tax * CASE WHEN d.is_credit AND l.tax > 0 THEN -1 ELSE 1 END END AS tax,
        l.total,
        l.accounting_total,
        l.accounting_currency
    FROM allocation AS a
    JOIN line AS l ON l.invoice_id = a.invoice_id AND l.ordinal = a.line_ordinal
    JOIN (SELECT id, is_credit FROM document) AS d ON d.id = a.invoice_id
    UNION ALL
    SELECT
        concat('inv:', l.id, ':rest'), r.invoice_id, r.line_ordinal, false, NULL, NULL, NULL, r.amount_doc, NULL,
        l.total, l.accounting_total, l.accounting_currency
    FROM rest AS r
    JOIN line AS l ON l.invoice_id = r.invoice_id AND l.ordinal = r.line_ordinal
    UNION ALL
    SELECT
        concat('chg:', invoice_id, ':', kind), invoice_id, NULL, false, account_id, account_code, NULL, amount_doc,
        NULL, NULL, NULL, NULL
    FROM charge
    UNION ALL
    SELECT
        concat('chg:', invoice_id, ':tax'), invoice_id, NULL, false, NULL, NULL, NULL, CAST(0 AS DECIMAL(38, 9)),
        tax, NULL, NULL, NULL
    FROM header_tax
    WHERE tax <> 0
),
commodity AS (
    SELECT
        c.id,
        c.name,
        coalesce(p4.name, p3.name, p2.name, p1.name, c.name) AS root,
        concat_ws(' > ', p4.name, p3.name, p2.name, p1.name, c.name) AS path
    FROM unified.commodities AS c
    LEFT JOIN unified.commodities AS p1 ON p1.id = c.parent_id
    LEFT JOIN unified.commodities AS p2 ON p2.id = p1.parent_id
    LEFT JOIN unified.commodities AS p3 ON p3.id = p2.parent_id
    LEFT JOIN unified.commodities AS p4 ON p4.id = p3.parent_id
),
approver AS (
    SELECT document_id, coalesce(approved_by_id, approver_id) AS id
    FROM (
        SELECT
            *,
            row_number() OVER (
                PARTITION BY document_id
                ORDER BY approved_at DESC NULLS LAST, position DESC NULLS LAST, TRY_CAST(id AS BIGINT) DESC
            ) AS place
        FROM unified.approvals
        WHERE document_type = 'invoice' AND status = 'approved' AND NOT is_deleted
    )
    WHERE place = 1
),
joined AS (
    SELECT
        p.*,
        d.number, d.is_credit, d.status, d.ended, d.vendor_id, d.vendor_name, d.legal_entity AS document_entity,
        d.employee_id, d.created_by_id, d.currency, d.received_date, d.due_date, d.paid_on_date, d.payment_status,
        d.company_id AS document_company, d.location,
        coalesce(d.issue_date, CAST(d.created_at AS DATE)) AS spend_date,
        d.accounting_currency AS document_books,
        d.exchange_rate AS document_rate,
        l.id AS invoice_line_id, l.item_id, l.description, l.uom, l.type, l.quantity, l.unit_price,
        l.commodity_id AS line_commodity,
        coalesce(l.contract_id, d.contract_id) AS document_contract,
        array_filter(l.tracking_categories, t -> lower(t['name']) LIKE '%project%') AS projects,
        m.order_line_id, m.order_id, m.match_status
    FROM piece AS p
    JOIN document AS d ON d.id = p.invoice_id
    LEFT JOIN unified.invoice_lines AS l ON l.invoice_id = p.invoice_id AND l.ordinal = p.line_ordinal
    LEFT JOIN report.po_invoice_match AS m ON m.invoice_id = p.invoice_id AND m.line_ordinal = p.line_ordinal
),
described AS (
    SELECT
        j.*,
        po.employee_id AS po_employee, po.created_by_id AS po_creator, pol.contract_id AS po_contract,
        request.employee_id AS request_employee,
        coalesce(j.line_commodity, pol.commodity_id) AS commodity_id,
        commodity.name AS commodity_name, commodity.root AS commodity_root, commodity.path AS commodity_path,
        account.name AS account_name, account.legal_entity_name,
        coalesce(account.company_id, j.document_company) AS company_id,
        coalesce(j.account_code, account.code) AS code,
        coalesce(pol.department_id, person.department_id) AS department_id,
        coalesce(vendor.name, j.vendor_name) AS billed_by,
        vendor.parent_id, vendor.parent_name,
        approver.id AS approver_id,
        s.reporting_currency, s.decimals, s.fiscal_year_start,
        daily.rate AS reporting_rate
    FROM joined AS j
    CROSS JOIN report.settings AS s
    LEFT JOIN unified.purchase_order_lines AS pol ON pol.id = j.order_line_id
    LEFT JOIN unified.purchase_orders AS po ON po.id = j.order_id
    LEFT JOIN unified.purchase_order_requisitions AS request ON request.id = po.requisition_id
    LEFT JOIN commodity ON commodity.id = coalesce(j.line_commodity, pol.commodity_id)
    LEFT JOIN unified.accounts AS account ON account.id = j.account_id
    LEFT JOIN unified.employees AS person
        ON person.id = coalesce(request.employee_id, po.employee_id, j.employee_id)
    LEFT JOIN unified.contacts AS vendor ON vendor.id = j.vendor_id
    LEFT JOIN approver ON approver.document_id = j.invoice_id
    LEFT JOIN report.daily_rates AS daily
        ON daily.from_currency = j.currency AND daily.to_currency = s.reporting_currency AND daily.day = j.spend_date
),
valued AS (
    SELECT
        d.*,
        round_to(
            CASE
                WHEN currency = reporting_currency THEN amount_doc
                WHEN accounting_currency = reporting_currency AND total <> 0
                    THEN divide_exact(multiply_exact(amount_doc, accounting_total), total)
                WHEN amount_doc = 0 THEN amount_doc
                WHEN document_books = reporting_currency AND document_rate > 0
                    THEN multiply_exact(amount_doc, document_rate)
                ELSE multiply_exact(amount_doc, reporting_rate)
            END,
            decimals
        ) AS amount,
        coalesce(ended, of_vendor.reason, rule.reason) AS left_out_because
    FROM described AS d
    LEFT JOIN (
        SELECT pattern, min(reason) AS reason
        FROM words.spend_lines_left_out
        WHERE column_name = 'vendor_id'
        GROUP BY pattern
    ) AS of_vendor ON of_vendor.pattern = d.vendor_id
    LEFT JOIN (
        SELECT a.id, min(w.reason) AS reason
        FROM unified.accounts AS a
        JOIN words.spend_lines_left_out AS w
            ON (w.column_name = 'account_name' AND lower(a.name) LIKE w.pattern)
            OR (w.column_name = 'account_code' AND a.code LIKE w.pattern)
        GROUP BY a.id
    ) AS rule ON rule.id = d.account_id
)
SELECT
    v.spend_line_id,
    CASE
        WHEN v.line_ordinal IS NULL THEN 'charge'
        WHEN v.is_credit THEN 'credit'
        WHEN v.order_line_id IS NOT NULL THEN 'po_invoice'
        WHEN v.document_contract IS NOT NULL THEN 'contract_invoice'
        ELSE 'no_po_invoice'
    END AS channel,
    CASE
        WHEN v.left_out_because IS NOT NULL THEN 'left_out'
        WHEN v.status IN ('authorised', 'paid') THEN 'counted'
        ELSE 'in_process'
    END AS state,
    v.left_out_because,
    v.invoice_id,
    v.invoice_line_id,
    CAST(NULL AS VARCHAR) AS expense_report_id,
    CAST(NULL AS VARCHAR) AS expense_line_id,
    v.number AS document_number,
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
    v.received_date,
    v.due_date,
    v.paid_on_date AS paid_on,
    v.payment_status,
    v.amount_doc,
    v.currency,
    v.amount,
    v.reporting_currency,
    v.amount IS NULL AS is_fx_missing,
    v.tax,
    v.vendor_id,
    v.billed_by AS vendor_name,
    coalesce(vendor_key(v.billed_by), concat('id:', v.vendor_id)) AS vendor_key,
    v.parent_id AS vendor_parent_id,
    v.parent_name AS vendor_parent_name,
    v.commodity_id,
    v.commodity_name,
    v.commodity_root,
    v.commodity_path,
    v.account_id,
    v.code AS account_code,
    v.account_name,
    non_blank(split_part(v.code, '-', 1)) AS account_segment_1,
    non_blank(split_part(v.code, '-', 2)) AS account_segment_2,
    non_blank(split_part(v.code, '-', 3)) AS account_segment_3,
    non_blank(split_part(v.code, '-', 4)) AS account_segment_4,
    non_blank(split_part(v.code, '-', 5)) AS account_segment_5,
    v.company_id,
    coalesce(v.legal_entity_name, v.document_entity) AS legal_entity,
    v.department_id,
    department.name AS department_name,
    v.projects[1]['option'] AS project,
    v.location,
    v.item_id,
    v.description,
    CASE WHEN v.is_first AND v.type = 'quantity' THEN
        CASE WHEN v.is_credit THEN -abs(v.quantity) ELSE v.quantity END
    END AS quantity,
    v.uom,
    CASE WHEN v.type = 'quantity' THEN v.unit_price END AS unit_price,
    v.order_id AS purchase_order_id,
    v.order_line_id AS purchase_order_line_id,
    coalesce(v.document_contract, v.po_contract) AS contract_id,
    v.match_status,
    coalesce(v.po_employee, v.employee_id) AS requester_id,
    v.po_creator AS buyer_id,
    v.approver_id,
    coalesce(v.request_employee, v.po_employee, v.employee_id, v.created_by_id) AS user_id
FROM valued AS v
LEFT JOIN unified.departments AS department ON department.id = v.department_id
