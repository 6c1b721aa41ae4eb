-- Coupa contracts to unified.contracts.
SELECT
    CAST(contract.id AS VARCHAR) AS id,
    created_at,
    updated_at,
    CAST(created_by['id'] AS VARCHAR) AS created_by_id,
    CAST(updated_by['id'] AS VARCHAR) AS updated_by_id,
    CASE WHEN terminated THEN 'terminated' ELSE mapped_status END AS status,
    status AS remote_status,
    custom_fields,
    number,
    name,
    description,
    CASE
        WHEN lower(type) LIKE '%amendment%' THEN 'amendment'
        WHEN lower(type) LIKE '%master%' THEN 'master'
    END AS type,
    contract_type['name'] AS contract_type,
    TRY_CAST(version AS INT) AS version,
    CAST(supplier['id'] AS VARCHAR) AS supplier_id,
    supplier['name'] AS supplier_name,
    supplier['number'] AS supplier_number,
    currency['code'] AS currency,
    start_date,
    end_date,
    execution_date,
    published_date AS published_at,
    terminated AS is_terminated,
    status_key(term_type) AS term_type,
    coalesce(min_commit, minimum_value) AS minimum_commit,
    coalesce(max_commit, maximum_value) AS maximum_commit,
    CASE status_key(stop_spend_based_on_max_value)
        WHEN 'yes' THEN true
        WHEN 'true' THEN true
        WHEN 'no' THEN false
        WHEN 'false' THEN false
    END
        AS is_spend_stopped_at_maximum,
    TRY_CAST(no_of_renewals AS INT) AS renewal_count,
    TRY_CAST(renewal_length_value AS INT) AS renewal_length,
    renewal_length_unit,
    CASE status_key(termination_notice)
        WHEN 'yes' THEN true
        WHEN 'true' THEN true
        WHEN 'no' THEN false
        WHEN 'false' THEN false
    END
        AS has_termination_notice,
    coalesce(
        TRY_CAST(termination_notice_length_value AS INT),
        TRY_CAST(length_of_notice_value AS INT)
    ) AS notice_length,
    coalesce(non_blank(termination_notice_length_unit), length_of_notice_unit) AS notice_length_unit,
    preferred AS is_preferred,
    used_for_buying AS is_used_for_buying,
    supplier_invoiceable AS is_supplier_invoiceable,
    savings_pct,
    CAST(contract_owner['id'] AS VARCHAR) AS owner_id,
    contract_owner['fullname'] AS owner_name,
    CAST(department['id'] AS VARCHAR) AS department_id,
    department['name'] AS department_name,
    CAST(parent['id'] AS VARCHAR) AS parent_id,
    CAST(master_contract['id'] AS VARCHAR) AS master_contract_id,
    CAST(default_account['id'] AS VARCHAR) AS default_account_id,
    default_account['code'] AS default_account_code,
    CAST(payment_term['id'] AS VARCHAR) AS payment_term_id,
    payment_term['code'] AS payment_term_name,
    shipping_term['code'] AS shipping_term,
    external_contract_id,
    array_compact(
        array_transform(
            list_sort_by(taggings, array_transform(taggings, t -> t['id'])), t -> t['tag']['name']
        )
    ) AS tags,
    _lineage
FROM (
    SELECT c.*, word.status AS mapped_status
    FROM words.contracts_status AS word
    RIGHT JOIN coupa.contracts AS c ON word.remote_status = replace(
        status_key(c.status), 'canceled', 'cancelled'
    )
) AS contract
