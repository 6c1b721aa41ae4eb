-- Invoice lines held against the lines of purchase orders and what was received of them.
WITH invoice AS (
    -- Which invoices take part, the sign of the document, and its number in comparable form.
    SELECT
        id,
        vendor_id,
        company_id,
        contract_id,
        issue_date,
        coalesce(received_date, issue_date) AS seen_date,
        coalesce(document_type, 'invoice') AS document_type,
        currency,
        accounting_currency,
        exchange_rate,
        (document_type IS NOT DISTINCT FROM 'credit_note') AS is_credit,
        is_deleted OR (status IS NOT DISTINCT FROM 'voided') OR coalesce(
            status_key(remote_status) IN (
                'draft', 'save_as_draft', 'new', 'rejected', 'abandoned', 'voided', 'invalid'
            ),
            false
        ) AS is_excluded,
        -- Upper case, letters and digits only, without the zeros that lead a run of digits.
        regexp_replace(
            regexp_replace(upper(number), '[^A-Z0-9]', '', 'g'), '(^|[A-Z])0+([0-9])', '\1\2', 'g'
        ) AS number_key
    FROM unified.invoices
),
net AS (
    SELECT
        l.invoice_id,
        sum(
            CASE
                WHEN i.document_type = 'credit_note' THEN -abs(coalesce(l.total_line_amount, 0))
                ELSE coalesce(l.total_line_amount, 0)
            END
        ) AS net
    FROM unified.invoice_lines AS l
    JOIN unified.invoices AS i ON i.id = l.invoice_id
    GROUP BY l.invoice_id
),
duplicate AS (
    -- The same vendor, number, kind, currency and net total on a live invoice that came earlier.
    SELECT id
    FROM (
        SELECT
            i.id,
            row_number() OVER (
                PARTITION BY i.vendor_id, i.number_key, i.document_type, i.currency, net.net
                ORDER BY i.seen_date NULLS LAST, TRY_CAST(i.id AS BIGINT)
            ) AS place
        FROM invoice AS i
        JOIN net ON net.invoice_id = i.id
        WHERE NOT i.is_excluded AND i.vendor_id IS NOT NULL AND i.number_key <> ''
    )
    WHERE place > 1
),
line AS (
    SELECT
        l.id,
        l.invoice_id,
        l.ordinal,
        l.line_number_int,
        l.purchase_order_line_id,
        l.purchase_order_id,
        l.purchase_order_line_number,
        l.uom,
        l.type = 'amount' AS is_amount_line,
        coalesce(l.contract_id, i.contract_id) AS contract_id,
        coalesce(l.currency, i.currency) AS currency,
        CASE WHEN l.type <> 'amount' THEN l.unit_price END AS price,
        CASE
            WHEN l.type = 'amount' THEN NULL
            WHEN i.is_credit THEN -abs(l.quantity)
            ELSE l.quantity
        END AS quantity,
        coalesce(
            CASE WHEN i.is_credit THEN -abs(l.total_line_amount) ELSE l.total_line_amount END, 0
        ) AS total,
        coalesce(status_key(l.adjustment_type) IN ('price', 'other'), false) AS is_money_only,
        i.vendor_id,
        i.company_id,
        i.issue_date,
        i.is_credit,
        i.is_excluded,
        i.accounting_currency,
        i.exchange_rate,
        duplicate.id IS NOT NULL AS is_duplicate
    FROM unified.invoice_lines AS l
    JOIN invoice AS i ON i.id = l.invoice_id
    LEFT JOIN duplicate ON duplicate.id = i.id
),
-- A number on the invoice links only where it means one line: of that number, or the order's only one.
by_number AS (
    SELECT purchase_order_id, line_number, min(id) AS id
    FROM unified.purchase_order_lines
    WHERE non_blank(line_number) IS NOT NULL
    GROUP BY purchase_order_id, line_number
    HAVING count(*) = 1
),
only_line AS (
    SELECT purchase_order_id, min(id) AS id
    FROM unified.purchase_order_lines
    GROUP BY purchase_order_id
    HAVING count(*) = 1
),
linked AS (
    SELECT
        line.*,
        coalesce(named.id, by_number.id, only_line.id) AS order_line_id,
        CASE
            WHEN named.id IS NOT NULL THEN 'order_line_id'
            WHEN by_number.id IS NOT NULL THEN 'po_number+line'
            WHEN only_line.id IS NOT NULL THEN 'po_number'
            WHEN line.contract_id IS NOT NULL THEN 'contract'
            ELSE 'none'
        END AS match_method
    FROM line
    LEFT JOIN (SELECT id FROM unified.purchase_order_lines) AS named ON named.id = line.purchase_order_line_id
    LEFT JOIN by_number
        ON by_number.purchase_order_id = line.purchase_order_id
        AND by_number.line_number = line.purchase_order_line_number
    LEFT JOIN only_line ON only_line.purchase_order_id = line.purchase_order_id
),
received AS (
    SELECT
        purchase_order_line_id,
        sum(quantity_effect) AS quantity,
        sum(amount_effect) AS amount
    FROM unified.receipts
    WHERE NOT is_deleted AND coalesce(status IN ('created', 'completed'), true)
    GROUP BY purchase_order_line_id
),
tolerance AS (
    SELECT
        scope,
        scope_id,
        check_name,
        round_half_even(pct) AS pct,
        round_half_even(abs) AS abs
    FROM words.po_invoice_match_tolerances
),
order_line AS (
    SELECT
        pl.id,
        pl.purchase_order_id,
        pl.type = 'amount' AS is_amount_line,
        CASE WHEN pl.type <> 'amount' THEN pl.quantity END AS quantity,
        CASE WHEN pl.type <> 'amount' THEN pl.unit_price END AS price,
        pl.total_line_amount AS total,
        pl.uom,
        p.vendor_id,
        coalesce(pl.currency, p.currency) AS currency,
        p.issue_date,
        p.total_amount AS order_total,
        CASE
            WHEN p.is_deleted OR status_key(p.remote_status) IN ('cancelled', 'canceled')
                OR pl.status = 'cancelled' THEN 'cancelled'
            WHEN status_key(p.remote_status) IN ('closed', 'soft_closed') THEN 'closed'
        END AS ended,
        coalesce(
            lower(non_blank(pl.match_type)),
            lower(non_blank(vendor.invoice_matching_level)),
            CASE WHEN pl.is_receipt_required THEN '3-way' ELSE '2-way' END
        ) AS match_level,
        coalesce(received.quantity, 0) AS quantity_received,
        coalesce(received.amount, 0) AS amount_received,
        commodity.scope_id AS commodity_scope,
        vendor_scope.scope_id AS vendor_scope,
        chart.scope_id AS chart_scope
    FROM unified.purchase_order_lines AS pl
    JOIN unified.purchase_orders AS p ON p.id = pl.purchase_order_id
    LEFT JOIN (SELECT id, invoice_matching_level FROM unified.contacts) AS vendor ON vendor.id = p.vendor_id
    LEFT JOIN received ON received.purchase_order_line_id = pl.id
    LEFT JOIN (SELECT DISTINCT scope_id FROM tolerance WHERE scope = 'commodity') AS commodity
        ON commodity.scope_id = pl.commodity_id
    LEFT JOIN (SELECT DISTINCT scope_id FROM tolerance WHERE scope = 'vendor') AS vendor_scope
        ON vendor_scope.scope_id = p.vendor_id
    LEFT JOIN (SELECT DISTINCT scope_id FROM tolerance WHERE scope = 'chart') AS chart
        ON chart.scope_id = p.company_id
),
-- The limits of every combination of scopes that order lines have: the row of the narrowest scope counts
-- whole, so that its empty cells switch the check off.
scopes AS (
    SELECT DISTINCT
        coalesce(commodity.scope_id, '') AS commodity_scope,
        coalesce(vendor_scope.scope_id, '') AS vendor_scope,
        coalesce(chart.scope_id, '') AS chart_scope
    FROM unified.purchase_order_lines AS pl
    JOIN unified.purchase_orders AS p ON p.id = pl.purchase_order_id
    LEFT JOIN (SELECT DISTINCT scope_id FROM tolerance WHERE scope = 'commodity') AS commodity
        ON commodity.scope_id = pl.commodity_id
    LEFT JOIN (SELECT DISTINCT scope_id FROM tolerance WHERE scope = 'vendor') AS vendor_scope
        ON vendor_scope.scope_id = p.vendor_id
    LEFT JOIN (SELECT DISTINCT scope_id FROM tolerance WHERE scope = 'chart') AS chart
        ON chart.scope_id = p.company_id
),
limits AS (
    SELECT
        commodity_scope,
        vendor_scope,
        chart_scope,
        max(CASE WHEN check_name = 'price_unit' THEN pct END) AS price_pct,
        max(CASE WHEN check_name = 'price_unit' THEN abs END) AS price_abs,
        max(CASE WHEN check_name = 'qty_ordered' THEN pct END) AS ordered_pct,
        max(CASE WHEN check_name = 'qty_ordered' THEN abs END) AS ordered_abs,
        max(CASE WHEN check_name = 'qty_received' THEN pct END) AS received_pct,
        max(CASE WHEN check_name = 'qty_received' THEN abs END) AS received_abs,
        max(CASE WHEN check_name = 'amount_line' THEN pct END) AS amount_pct,
        max(CASE WHEN check_name = 'amount_line' THEN abs END) AS amount_abs,
        max(CASE WHEN check_name = 'amount_received' THEN pct END) AS amount_received_pct,
        max(CASE WHEN check_name = 'amount_received' THEN abs END) AS amount_received_abs,
        max(CASE WHEN check_name = 'po_total' THEN pct END) AS po_total_pct,
        max(CASE WHEN check_name = 'po_total' THEN abs END) AS po_total_abs
    FROM (
        SELECT
            s.commodity_scope,
            s.vendor_scope,
            s.chart_scope,
            t.check_name,
            t.pct,
            t.abs,
            row_number() OVER (
                PARTITION BY s.commodity_scope, s.vendor_scope, s.chart_scope, t.check_name
                ORDER BY CASE t.scope WHEN 'commodity' THEN 1 WHEN 'vendor' THEN 2 WHEN 'chart' THEN 3 ELSE 4 END
            ) AS place
        FROM (
            SELECT
                scopes.*,
                kind.scope,
                CASE kind.scope
                    WHEN 'commodity' THEN commodity_scope
                    WHEN 'vendor' THEN vendor_scope
                    WHEN 'chart' THEN chart_scope
                    ELSE ''
                END AS scope_id
            FROM scopes
            CROSS JOIN (SELECT unnest(make_array('commodity', 'vendor', 'chart', 'default')) AS scope) AS kind
        ) AS s
        JOIN tolerance AS t ON t.scope = s.scope AND coalesce(t.scope_id, '') = s.scope_id
    )
    WHERE place = 1
    GROUP BY commodity_scope, vendor_scope, chart_scope
),
paired AS (
    SELECT
        l.*,
        o.purchase_order_id AS order_id,
        o.vendor_id AS po_vendor,
        o.currency AS po_currency,
        o.issue_date AS po_date,
        o.order_total,
        o.ended,
        o.match_level,
        o.quantity AS po_qty,
        o.price AS po_price,
        o.total AS po_total,
        o.quantity_received,
        o.amount_received,
        o.commodity_scope,
        o.vendor_scope,
        o.chart_scope,
        o.match_level LIKE '3-way%' OR o.match_level = 'direct_matching' AS is_three_way,
        CASE WHEN l.is_amount_line OR coalesce(o.is_amount_line, false) THEN 'amount' ELSE 'quantity' END AS basis,
        coalesce(l.uom <> o.uom, false) AS uom_differs,
        CASE
            WHEN o.id IS NULL THEN NULL
            WHEN l.currency = o.currency THEN CAST(1 AS DECIMAL(38, 9))
            WHEN l.accounting_currency = o.currency AND l.exchange_rate > 0 THEN l.exchange_rate
            ELSE on_invoice.rate
        END AS fx,
        CASE
            WHEN l.currency = o.currency THEN CAST(1 AS DECIMAL(38, 9))
            ELSE on_order.rate
        END AS fx_at_order,
        -- Half a minor unit of the order's currency.
        CASE coalesce(money.decimals, 2)
            WHEN 0 THEN CAST('0.5' AS DECIMAL(38, 9))
            WHEN 1 THEN CAST('0.05' AS DECIMAL(38, 9))
            WHEN 2 THEN CAST('0.005' AS DECIMAL(38, 9))
            WHEN 3 THEN CAST('0.0005' AS DECIMAL(38, 9))
            ELSE CAST('0.00005' AS DECIMAL(38, 9))
        END AS guard
    FROM linked AS l
    LEFT JOIN order_line AS o ON o.id = l.order_line_id
    LEFT JOIN report.daily_rates AS on_invoice
        ON on_invoice.from_currency = l.currency
        AND on_invoice.to_currency = o.currency
        AND on_invoice.day = l.issue_date
    LEFT JOIN report.daily_rates AS on_order
        ON on_order.from_currency = l.currency
        AND on_order.to_currency = o.currency
        AND on_order.day = o.issue_date
    LEFT JOIN (SELECT code, max(decimals) AS decimals FROM unified.currencies GROUP BY code) AS money
        ON money.code = o.currency
),
priced AS (
    SELECT
        *,
        coalesce(
            order_line_id IS NOT NULL AND NOT is_excluded AND NOT is_duplicate
            AND fx IS NOT NULL AND coalesce(NOT vendor_id <> po_vendor, true),
            false
        ) AS consumes,
        multiply_exact(total, fx) AS amount,
        CASE WHEN basis = 'quantity' AND NOT uom_differs THEN multiply_exact(price, fx) END AS inv_price,
        CASE
            WHEN basis = 'quantity' AND NOT uom_differs THEN multiply_exact(price, fx) - po_price
        END AS price_var,
        CASE
            WHEN basis = 'quantity' AND NOT uom_differs THEN multiply_exact(price, fx_at_order) - po_price
        END AS price_var_at_order
    FROM paired
),
-- What an order line has been billed so far, in an order that no reading of the data changes.
running AS (
    SELECT
        *,
        sum(
            CASE WHEN consumes AND NOT uom_differs AND NOT is_money_only THEN coalesce(quantity, 0) ELSE 0 END
        ) OVER (
            PARTITION BY order_line_id
            ORDER BY issue_date NULLS LAST, TRY_CAST(invoice_id AS BIGINT), line_number_int NULLS LAST,
                TRY_CAST(id AS BIGINT) NULLS LAST, ordinal
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS cum_qty,
        sum(CASE WHEN consumes THEN amount ELSE 0 END) OVER (
            PARTITION BY order_line_id
            ORDER BY issue_date NULLS LAST, TRY_CAST(invoice_id AS BIGINT), line_number_int NULLS LAST,
                TRY_CAST(id AS BIGINT) NULLS LAST, ordinal
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS cum_amount,
        sum(CASE WHEN consumes THEN amount ELSE 0 END) OVER (
            PARTITION BY order_id
            ORDER BY issue_date NULLS LAST, TRY_CAST(invoice_id AS BIGINT), line_number_int NULLS LAST,
                TRY_CAST(id AS BIGINT) NULLS LAST, ordinal
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS cum_order_amount
    FROM priced
),
compared AS (
    SELECT
        r.*,
        t.price_pct,
        t.price_abs,
        t.ordered_pct,
        t.ordered_abs,
        t.received_pct,
        t.received_abs,
        t.amount_pct,
        t.amount_abs,
        t.amount_received_pct,
        t.amount_received_abs,
        t.po_total_pct,
        t.po_total_abs,
        consumes AND NOT is_credit AND match_level <> 'none' AS is_checked,
        cum_qty - po_qty AS over_ordered,
        cum_qty - quantity_received AS over_received,
        cum_amount - po_total AS over_amount,
        cum_amount - amount_received AS over_amount_received,
        cum_order_amount - order_total AS over_order_total,
        CAST('0.00005' AS DECIMAL(38, 9)) AS price_guard,
        CAST('0.000001' AS DECIMAL(38, 9)) AS qty_guard
    FROM running AS r
    LEFT JOIN limits AS t
        ON t.commodity_scope = coalesce(r.commodity_scope, '')
        AND t.vendor_scope = coalesce(r.vendor_scope, '')
        AND t.chart_scope = coalesce(r.chart_scope, '')
),
flagged AS (
    SELECT
        *,
        CASE WHEN vendor_id <> po_vendor THEN 'supplier_mismatch;' ELSE '' END
        || CASE WHEN order_line_id IS NOT NULL AND fx IS NULL THEN 'fx_missing;' ELSE '' END
        || CASE ended WHEN 'cancelled' THEN 'po_cancelled;' WHEN 'closed' THEN 'po_closed;' ELSE '' END
        || CASE WHEN basis = 'quantity' AND uom_differs THEN 'uom_mismatch;' ELSE '' END
        || CASE WHEN is_duplicate THEN 'duplicate_suspect;' ELSE '' END
        -- Over-billing alone is held: a check fails beyond either limit, or by anything at all on nothing.
        || CASE
            WHEN is_checked AND price_var > price_guard AND (
                (po_price = 0 AND coalesce(price_pct, price_abs) IS NOT NULL)
                OR (price_var - price_guard) * 100 > multiply_exact(po_price, price_pct)
                OR price_var - price_guard > price_abs
            ) THEN 'price_over;'
            ELSE ''
        END
        || CASE
            WHEN is_checked AND basis = 'quantity' AND over_ordered > qty_guard AND (
                (po_qty = 0 AND coalesce(ordered_pct, ordered_abs) IS NOT NULL)
                OR (over_ordered - qty_guard) * 100 > multiply_exact(po_qty, ordered_pct)
                OR over_ordered - qty_guard > ordered_abs
            ) THEN 'qty_over_ordered;'
            ELSE ''
        END
        || CASE
            WHEN is_checked AND basis = 'quantity' AND is_three_way AND over_received > qty_guard AND (
                (quantity_received = 0 AND coalesce(received_pct, received_abs) IS NOT NULL)
                OR (over_received - qty_guard) * 100 > multiply_exact(quantity_received, received_pct)
                OR over_received - qty_guard > received_abs
            ) THEN 'qty_over_received;'
            ELSE ''
        END
        || CASE
            WHEN is_checked AND basis = 'amount' AND over_amount > guard AND (
                (po_total = 0 AND coalesce(amount_pct, amount_abs) IS NOT NULL)
                OR (over_amount - guard) * 100 > multiply_exact(po_total, amount_pct)
                OR over_amount - guard > amount_abs
            ) THEN 'amount_over;'
            ELSE ''
        END
        || CASE
            WHEN is_checked AND basis = 'amount' AND is_three_way AND over_amount_received > guard AND (
                (amount_received = 0 AND coalesce(amount_received_pct, amount_received_abs) IS NOT NULL)
                OR (over_amount_received - guard) * 100 > multiply_exact(amount_received, amount_received_pct)
                OR over_amount_received - guard > amount_received_abs
            ) THEN 'amount_over_received;'
            ELSE ''
        END
        || CASE
            WHEN is_checked AND over_order_total > guard AND (
                (order_total = 0 AND coalesce(po_total_pct, po_total_abs) IS NOT NULL)
                OR (over_order_total - guard) * 100 > multiply_exact(order_total, po_total_pct)
                OR over_order_total - guard > po_total_abs
            ) THEN 'po_total_over;'
            ELSE ''
        END AS flags
    FROM compared
)
SELECT
    invoice_id,
    ordinal AS line_ordinal,
    id AS invoice_line_id,
    issue_date AS invoice_date,
    vendor_id,
    order_line_id,
    order_id,
    match_method,
    basis,
    coalesce(match_level, 'none') AS match_level,
    currency,
    po_currency,
    fx,
    inv_price AS inv_price_po_ccy,
    po_price,
    divide_exact(price_var * 100, po_price) AS price_var_pct,
    multiply_exact(price_var, quantity) AS price_var_amount,
    multiply_exact(price_var_at_order, quantity) AS price_variance,
    multiply_exact(price_var, quantity) - multiply_exact(price_var_at_order, quantity) AS currency_variance,
    consumes,
    CASE
        WHEN consumes AND NOT uom_differs AND NOT is_money_only THEN coalesce(quantity, 0)
        ELSE CAST(0 AS DECIMAL(38, 9))
    END AS qty_consumed,
    CASE WHEN consumes AND basis = 'quantity' AND NOT uom_differs THEN cum_qty END AS cum_qty_invoiced,
    po_qty,
    CASE WHEN is_three_way AND basis = 'quantity' THEN quantity_received END AS qty_received,
    CASE WHEN consumes THEN cum_amount END AS cum_amount_po_ccy,
    po_total,
    CASE WHEN is_three_way AND basis = 'amount' THEN amount_received END AS amount_received,
    coalesce(po_date > issue_date, false) AS after_the_fact,
    total AS line_net,
    amount AS line_net_po_ccy,
    flags,
    CASE
        WHEN is_excluded THEN 'excluded'
        WHEN order_line_id IS NULL AND contract_id IS NOT NULL THEN 'contract_backed'
        WHEN order_line_id IS NULL THEN 'unbacked'
        WHEN flags <> '' THEN 'exception'
        WHEN is_credit OR total < 0 THEN 'credit'
        WHEN match_level = 'none' THEN 'not_checked'
        WHEN coalesce(abs(price_var) >= price_guard, false)
            OR (basis = 'quantity' AND coalesce(cum_qty > po_qty, false))
            OR (basis = 'quantity' AND is_three_way AND cum_qty > quantity_received)
            OR (basis = 'amount' AND coalesce(over_amount > guard, false))
            OR (basis = 'amount' AND is_three_way AND over_amount_received > guard)
            THEN 'matched_within_tolerance'
        ELSE 'matched'
    END AS match_status
FROM flagged
