-- Coupa payment terms to unified.payment_terms.
SELECT
    CAST(id AS VARCHAR) AS id,
    created_at,
    updated_at,
    CAST(created_by['id'] AS VARCHAR) AS created_by_id,
    CAST(updated_by['id'] AS VARCHAR) AS updated_by_id,
    CASE WHEN active THEN 'active' WHEN NOT active THEN 'archived' END AS status,
    CAST(active AS VARCHAR) AS remote_status,
    custom_fields,
    code,
    description,
    type,
    TRY_CAST(days_for_net_payment AS INT) AS net_days,
    TRY_CAST(days_for_discount_payment AS INT) AS discount_days,
    discount_rate,
    TRY_CAST(net_cutoff_day AS INT) AS net_cutoff_day,
    TRY_CAST(net_due_day AS INT) AS net_due_day,
    TRY_CAST(net_due_month AS INT) AS net_due_month,
    TRY_CAST(discount_cutoff_day AS INT) AS discount_cutoff_day,
    TRY_CAST(discount_due_day AS INT) AS discount_due_day,
    TRY_CAST(discount_due_month AS INT) AS discount_due_month,
    _lineage
FROM coupa.payment_terms
