-- Coupa approvals to unified.approvals.
SELECT
    CAST(id AS VARCHAR) AS id,
    created_at,
    updated_at,
    CAST(created_by['id'] AS VARCHAR) AS created_by_id,
    CAST(updated_by['id'] AS VARCHAR) AS updated_by_id,
    replace(status_key(status), 'canceled', 'cancelled') AS status,
    status AS remote_status,
    custom_fields,
    type,
    TRY_CAST(position AS INT) AS position,
    CASE
        WHEN status_key(approvable_type) LIKE 'requisition%' THEN 'purchase_order_requisition'
        WHEN status_key(approvable_type) LIKE 'orderheader%' THEN 'purchase_order'
        WHEN status_key(approvable_type) LIKE 'invoice%' THEN 'invoice'
        WHEN status_key(approvable_type) LIKE 'expense%' THEN 'expense_report'
        WHEN status_key(approvable_type) LIKE 'contract%' THEN 'contract'
        WHEN non_blank(approvable_type) IS NOT NULL THEN 'other'
    END AS document_type,
    approvable_type AS remote_document_type,
    CAST(approvable_id AS VARCHAR) AS document_id,
    approver_type,
    CAST(coalesce(approver_id, approver['id']) AS VARCHAR) AS approver_id,
    coalesce(non_blank(approver['fullname']), approver['name']) AS approver_name,
    CAST(approved_by['id'] AS VARCHAR) AS approved_by_id,
    approved_by['fullname'] AS approved_by_name,
    approval_date AS approved_at,
    CAST(approval_chain_id AS VARCHAR) AS chain_id,
    parallel_group_name,
    note,
    NULLIF(reasons, '[]') AS reasons,
    _lineage
FROM coupa.approvals
