-- Taxes of unified.invoices, of the header, then of the lines, then of the charges.
SELECT
    concat(
        entry['level'], ':', coalesce(entry['tax']['id'], concat(invoice_id, ':', CAST(ordinal AS VARCHAR)))
    ) AS id,
    invoice_id,
    CAST(ordinal AS INT) AS ordinal,
    created_at,
    updated_at,
    created_by_id,
    updated_by_id,
    CAST(NULL AS VARCHAR) AS status,
    CAST(NULL AS VARCHAR) AS remote_status,
    CASE WHEN false THEN custom_fields END AS custom_fields,
    entry['level'] AS level,
    entry['invoice_line_id'] AS invoice_line_id,
    entry['invoice_charge_id'] AS invoice_charge_id,
    entry['tax']['code'] AS code,
    entry['tax']['description'] AS description,
    entry['tax']['rate'] AS rate,
    entry['tax']['amount'] AS amount,
    entry['tax']['basis'] AS basis,
    currency,
    entry['tax']['type'] AS type,
    entry['tax']['withholding_amount'] AS withholding_amount,
    connection_id,
    remote_object,
    is_deleted,
    deleted_at,
    _extracted_at,
    _run_id,
    _content_hash,
    _schema_version
FROM (
    SELECT
        id AS invoice_id,
        created_at,
        updated_at,
        created_by_id,
        updated_by_id,
        custom_fields,
        currency,
        connection_id,
        remote_object,
        is_deleted,
        deleted_at,
        _extracted_at,
        _run_id,
        _content_hash,
        _schema_version,
        unnest(range(1, CAST(cardinality(entries) AS BIGINT) + 1)) AS ordinal,
        unnest(entries) AS entry
    FROM (
        SELECT
            *,
            array_concat(
                array_transform(tax_lines, x -> named_struct(
                    'level', 'invoice',
                    'invoice_line_id', CAST(NULL AS VARCHAR),
                    'invoice_charge_id', CAST(NULL AS VARCHAR),
                    'tax', x
                )),
                flatten(array_transform(line_items, l -> array_transform(l['tax_lines'], x -> named_struct(
                    'level', 'line',
                    'invoice_line_id', l['id'],
                    'invoice_charge_id', CAST(NULL AS VARCHAR),
                    'tax', x
                )))),
                flatten(array_transform(charges, c -> array_transform(c['tax_lines'], x -> named_struct(
                    'level', 'charge',
                    'invoice_line_id', CAST(NULL AS VARCHAR),
                    'invoice_charge_id', c['id'],
                    'tax', x
                ))))
            ) AS entries
        FROM unified.invoices
    )
)
