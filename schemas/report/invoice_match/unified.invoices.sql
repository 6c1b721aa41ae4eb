-- Invoices with what stands behind their lines.
WITH flag AS (
    SELECT invoice_id, CAST(string_agg(flag, '' ORDER BY flag) AS VARCHAR) AS flags
    FROM (
        SELECT DISTINCT invoice_id, concat(unnest(string_to_array(trim(flags, ';'), ';')), ';') AS flag
        FROM report.po_invoice_match
        WHERE flags <> ''
    )
    GROUP BY invoice_id
),
line AS (
    SELECT
        invoice_id,
        count(*) AS lines,
        sum(line_net) AS net,
        sum(CASE WHEN order_line_id IS NOT NULL THEN line_net ELSE 0 END) AS po_net,
        sum(CASE WHEN match_status = 'contract_backed' THEN line_net ELSE 0 END) AS contract_net,
        sum(CASE WHEN match_status = 'unbacked' THEN line_net ELSE 0 END) AS unbacked_net,
        count(order_line_id) AS on_orders,
        sum(CASE WHEN match_status = 'contract_backed' THEN 1 ELSE 0 END) AS on_contracts,
        sum(CASE WHEN match_status = 'exception' THEN 1 ELSE 0 END) AS exceptions,
        bool_or(after_the_fact) AS after_the_fact,
        max(
            CASE match_status
                WHEN 'exception' THEN 6
                WHEN 'unbacked' THEN 5
                WHEN 'contract_backed' THEN 4
                WHEN 'matched_within_tolerance' THEN 3
                WHEN 'not_checked' THEN 2
                WHEN 'matched' THEN 1
                WHEN 'credit' THEN 0
                ELSE -1
            END
        ) AS worst
    FROM report.po_invoice_match
    GROUP BY invoice_id
),
other_charge AS (
    SELECT invoice_id, sum(total) AS total
    FROM unified.invoice_charges
    WHERE type = 'other'
    GROUP BY invoice_id
),
tax AS (
    SELECT
        invoice_id,
        sum(amount) AS amount,
        sum(multiply_exact(rate, basis)) / 100 AS expected,
        count(*) AS lines,
        count(multiply_exact(rate, basis)) AS rated
    FROM unified.invoice_tax_lines
    GROUP BY invoice_id
),
-- Limits of the charges, as a share of the net amount or as such: the supplier's, else the chart's.
tolerance AS (
    SELECT scope, scope_id, round_half_even(pct) AS pct, round_half_even(abs) AS abs
    FROM words.po_invoice_match_tolerances
    WHERE check_name = 'charges'
),
headed AS (
    SELECT
        i.id,
        i.number,
        i.issue_date,
        i.vendor_id,
        i.company_id,
        i.currency,
        (i.document_type IS NOT DISTINCT FROM 'credit_note') AS is_credit,
        coalesce(i.shipping_amount, 0) + coalesce(i.handling_amount, 0) + coalesce(i.misc_amount, 0)
            + coalesce(other_charge.total, 0) AS charges,
        coalesce(i.total_tax_amount, 0) AS tax,
        tax.amount AS taxes,
        CASE WHEN tax.rated = tax.lines THEN round_half_even(tax.expected) END AS tax_expected,
        tax.lines AS tax_lines,
        coalesce(of_vendor.scope, of_chart.scope, of_all.scope) IS NOT NULL AS is_limited,
        CASE
            WHEN of_vendor.scope IS NOT NULL THEN of_vendor.pct
            WHEN of_chart.scope IS NOT NULL THEN of_chart.pct
            ELSE of_all.pct
        END AS charges_pct,
        CASE
            WHEN of_vendor.scope IS NOT NULL THEN of_vendor.abs
            WHEN of_chart.scope IS NOT NULL THEN of_chart.abs
            ELSE of_all.abs
        END AS charges_abs
    FROM unified.invoices AS i
    LEFT JOIN other_charge ON other_charge.invoice_id = i.id
    LEFT JOIN tax ON tax.invoice_id = i.id
    LEFT JOIN (SELECT * FROM tolerance WHERE scope = 'vendor') AS of_vendor ON of_vendor.scope_id = i.vendor_id
    LEFT JOIN (SELECT * FROM tolerance WHERE scope = 'chart') AS of_chart ON of_chart.scope_id = i.company_id
    LEFT JOIN (SELECT * FROM tolerance WHERE scope = 'default') AS of_all ON true
)
SELECT
    h.id AS invoice_id,
    h.number AS invoice_number,
    h.issue_date AS invoice_date,
    h.vendor_id,
    h.company_id,
    h.currency,
    coalesce(line.lines, 0) AS lines,
    coalesce(line.exceptions, 0) AS exceptions,
    coalesce(line.net, 0) AS net,
    coalesce(line.po_net, 0) AS po_net,
    coalesce(line.contract_net, 0) AS contract_net,
    coalesce(line.unbacked_net, 0) AS unbacked_net,
    CASE WHEN h.is_credit THEN -abs(h.charges) ELSE h.charges END AS charges,
    CASE WHEN h.is_credit THEN -abs(h.tax) ELSE h.tax END AS tax,
    CASE WHEN h.is_credit THEN -abs(h.tax_expected) ELSE h.tax_expected END AS tax_expected,
    coalesce(line.after_the_fact, false) AS after_the_fact,
    CASE
        WHEN line.worst = -1 THEN 'excluded'
        WHEN line.on_orders = line.lines THEN 'po'
        WHEN line.on_orders > 0 THEN 'mixed'
        WHEN line.on_contracts > 0 THEN 'contract'
        ELSE 'no_po'
    END AS backing,
    CASE line.worst
        WHEN 6 THEN 'exception'
        WHEN 4 THEN 'contract_backed'
        WHEN 3 THEN 'matched_within_tolerance'
        WHEN 2 THEN 'not_checked'
        WHEN 1 THEN 'matched'
        WHEN 0 THEN 'credit'
        WHEN -1 THEN 'excluded'
        ELSE 'unbacked'
    END AS worst_status,
    concat(
        coalesce(flag.flags, ''),
        CASE
            WHEN NOT h.is_credit AND h.is_limited AND h.charges > 0 AND (
                h.charges * 100 > multiply_exact(coalesce(line.net, 0), h.charges_pct)
                OR h.charges > h.charges_abs
            ) THEN 'charges_over;'
            ELSE ''
        END,
        -- Each tax line may be rounded to the cent for itself.
        CASE
            WHEN abs(h.taxes - h.tax_expected) * 200 > h.tax_lines THEN 'tax_differs;'
            ELSE ''
        END
    ) AS flags
FROM headed AS h
LEFT JOIN line ON line.invoice_id = h.id
LEFT JOIN flag ON flag.invoice_id = h.id
