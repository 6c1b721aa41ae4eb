-- Coupa suppliers to unified.contacts.
WITH statused AS (
    SELECT s.*, word.status AS mapped_status
    FROM words.contacts_status AS word
    RIGHT JOIN coupa.suppliers AS s ON word.remote_status = status_key(s.status)
),
ordered AS (
    SELECT
        s.*,
        list_sort_by(s.contacts, array_transform(s.contacts, c -> c['id'])) AS sorted_contacts,
        array_transform(
            list_sort_by(s.supplier_addresses, array_transform(s.supplier_addresses, a -> a['id'])),
            a -> named_struct(
                'id', CAST(a['id'] AS VARCHAR), 'name', a['name'], 'type', 'other',
                'street_1', a['street1'], 'street_2', a['street2'],
                'street_3', a['street3'], 'street_4', a['street4'],
                'city', a['city'], 'state', a['state'], 'state_code', a['state_iso_code'],
                'country', a['country']['name'], 'country_code', a['country']['code'],
                'postal_code', a['postal_code'], 'location_code', a['location_code'],
                'attention', a['attention']
            )
        ) AS other_addresses,
        array_transform(
            list_sort_by(s.remit_to_addresses, array_transform(s.remit_to_addresses, a -> a['id'])),
            a -> named_struct(
                'id', CAST(a['id'] AS VARCHAR), 'name', a['name'], 'type', 'remit_to',
                'street_1', a['street1'], 'street_2', a['street2'],
                'street_3', a['street3'], 'street_4', a['street4'],
                'city', a['city'], 'state', a['state'], 'state_code', a['state_iso_code'],
                'country', a['country']['name'], 'country_code', a['country']['code'],
                'postal_code', a['postal_code'], 'location_code', a['remit_to_code'],
                'attention', CAST(NULL AS VARCHAR)
            )
        ) AS remit_addresses,
        -- Not one array_concat: it fails at run time where every list is null.
        flatten(array_transform(s.supplier_addresses, a -> a['tax_registrations'])) AS other_registrations,
        flatten(array_transform(s.remit_to_addresses, a -> a['tax_registrations'])) AS remit_registrations
    FROM statused AS s
),
reached AS (
    SELECT
        s.*,
        -- An address may hold several, however they are set apart.
        array_filter(
            array_concat(
                array_transform(
                    string_to_array(
                        translate(coalesce(s.primary_contact['email'], ''), concat(';', ' ', chr(10)), ',,,'),
                        ','
                    ),
                    e -> named_struct('email', non_blank(e), 'type', 'primary', 'is_primary', true)
                ),
                array_transform(
                    string_to_array(translate(s.po_email, concat(';', ' ', chr(10)), ',,,'), ','),
                    e -> named_struct('email', non_blank(e), 'type', 'purchase_orders', 'is_primary', false)
                ),
                flatten(array_transform(s.sorted_contacts, c -> array_transform(
                    string_to_array(translate(c['email'], concat(';', ' ', chr(10)), ',,,'), ','),
                    e -> named_struct('email', non_blank(e), 'type', 'contact', 'is_primary', false)
                ))),
                flatten(array_transform(
                    list_sort_by(s.invoice_emails, array_transform(s.invoice_emails, m -> m['id'])),
                    m -> array_transform(
                        string_to_array(translate(m['email'], concat(';', ' ', chr(10)), ',,,'), ','),
                        e -> named_struct('email', non_blank(e), 'type', 'invoices', 'is_primary', false)
                    )
                ))
            ),
            e -> e['email'] IS NOT NULL
        ) AS all_emails
    FROM ordered AS s
),
numbered AS (
    SELECT s.*, array_transform(s.all_emails, e -> lower(e['email'])) AS email_keys FROM reached AS s
)
SELECT
    CAST(id AS VARCHAR) AS id,
    created_at,
    updated_at,
    CAST(created_by['id'] AS VARCHAR) AS created_by_id,
    CAST(updated_by['id'] AS VARCHAR) AS updated_by_id,
    mapped_status AS status,
    status AS remote_status,
    custom_fields,
    name,
    display_name,
    number,
    'vendor' AS type,
    true AS is_supplier,
    false AS is_customer,
    -- The first of equal addresses stays, whatever their case.
    array_transform(
        array_filter(
            arrays_zip(all_emails, range(1, CAST(cardinality(all_emails) AS BIGINT) + 1)),
            z -> CAST(array_position(email_keys, lower(z['1']['email'])) AS BIGINT) = z['2']
        ),
        z -> z['1']
    ) AS emails,
    array_filter(
        make_array(
            named_struct(
                'number', CASE WHEN non_blank(
                    primary_contact['phone_work']['number']
                ) IS NOT NULL THEN concat_ws(
                    ' ', non_blank(primary_contact['phone_work']['country_code']),
                    non_blank(primary_contact['phone_work']['area_code']),
                    primary_contact['phone_work']['number']
                ) END,
                'extension', primary_contact['phone_work']['extension'],
                'country_code', primary_contact['phone_work']['country_code'],
                'type', 'work'
            ),
            named_struct(
                'number', CASE WHEN non_blank(
                    primary_contact['phone_mobile']['number']
                ) IS NOT NULL THEN concat_ws(
                    ' ', non_blank(primary_contact['phone_mobile']['country_code']),
                    non_blank(primary_contact['phone_mobile']['area_code']),
                    primary_contact['phone_mobile']['number']
                ) END,
                'extension', primary_contact['phone_mobile']['extension'],
                'country_code', primary_contact['phone_mobile']['country_code'],
                'type', 'mobile'
            ),
            named_struct(
                'number', CASE WHEN non_blank(
                    primary_contact['phone_fax']['number']
                ) IS NOT NULL THEN concat_ws(
                    ' ', non_blank(primary_contact['phone_fax']['country_code']),
                    non_blank(primary_contact['phone_fax']['area_code']),
                    primary_contact['phone_fax']['number']
                ) END,
                'extension', primary_contact['phone_fax']['extension'],
                'country_code', primary_contact['phone_fax']['country_code'],
                'type', 'fax'
            )
        ),
        p -> p['number'] IS NOT NULL
    ) AS phones,
    array_concat(
        array_compact(make_array(CASE WHEN primary_contact IS NOT NULL THEN named_struct(
            'id', CAST(primary_contact['id'] AS VARCHAR),
            'name', coalesce(
                non_blank(primary_contact['name_fullname']),
                NULLIF(
                    concat_ws(
                        ' ', non_blank(primary_contact['name_given']),
                        non_blank(primary_contact['name_family'])
                    ),
                    ''
                )
            ),
            'email', primary_contact['email'],
            'phone', coalesce(
                CASE WHEN non_blank(primary_contact['phone_work']['number']) IS NOT NULL THEN concat_ws(
                    ' ', non_blank(primary_contact['phone_work']['country_code']),
                    non_blank(primary_contact['phone_work']['area_code']),
                    primary_contact['phone_work']['number']
                ) END,
                CASE WHEN non_blank(primary_contact['phone_mobile']['number']) IS NOT NULL THEN concat_ws(
                    ' ', non_blank(primary_contact['phone_mobile']['country_code']),
                    non_blank(primary_contact['phone_mobile']['area_code']),
                    primary_contact['phone_mobile']['number']
                ) END
            ),
            'purposes', array_compact(array_transform(
                list_sort_by(
                    primary_contact['purposes'], array_transform(primary_contact['purposes'], x -> x['id'])
                ),
                x -> x['name']
            ))
        ) END)),
        array_transform(
            array_filter(sorted_contacts, c -> c['id'] IS DISTINCT FROM primary_contact['id']),
            c -> named_struct(
                'id', CAST(c['id'] AS VARCHAR),
                'name', coalesce(
                    non_blank(c['name_fullname']),
                    NULLIF(concat_ws(' ', non_blank(c['name_given']), non_blank(c['name_family'])), '')
                ),
                'email', c['email'],
                'phone', coalesce(
                    CASE WHEN non_blank(c['phone_work']['number']) IS NOT NULL THEN concat_ws(
                        ' ', non_blank(c['phone_work']['country_code']),
                        non_blank(c['phone_work']['area_code']), c['phone_work']['number']
                    ) END,
                    CASE WHEN non_blank(c['phone_mobile']['number']) IS NOT NULL THEN concat_ws(
                        ' ', non_blank(c['phone_mobile']['country_code']),
                        non_blank(c['phone_mobile']['area_code']), c['phone_mobile']['number']
                    ) END
                ),
                'purposes', array_compact(array_transform(
                    list_sort_by(c['purposes'], array_transform(c['purposes'], x -> x['id'])), x -> x['name']
                ))
            )
        )
    ) AS persons,
    array_concat(
        array_compact(make_array(CASE WHEN primary_address IS NOT NULL THEN named_struct(
            'id', CAST(primary_address['id'] AS VARCHAR), 'name', primary_address['name'], 'type', 'primary',
            'street_1', primary_address['street1'], 'street_2', primary_address['street2'],
            'street_3', primary_address['street3'], 'street_4', primary_address['street4'],
            'city', primary_address['city'],
            'state', primary_address['state'],
            'state_code', primary_address['state_iso_code'],
            'country', primary_address['country']['name'], 'country_code', primary_address['country']['code'],
            'postal_code', primary_address['postal_code'], 'location_code', primary_address['location_code'],
            'attention', primary_address['attention']
        ) END)),
        other_addresses,
        remit_addresses
    ) AS addresses,
    remit_addresses AS remit_to_addresses,
    coalesce(
        non_blank(tax_id),
        non_blank(json_get(supplier_tax_detail, 'tax_id')),
        non_blank(json_get(supplier_tax_detail, 'tax_number')),
        non_blank(json_text(supplier_tax_detail)),
        array_any_value(
            array_transform(
                primary_address['tax_registrations'],
                r -> CASE WHEN r['active'] IS DISTINCT FROM false THEN non_blank(r['number']) END
            )
        ),
        array_any_value(
            array_transform(
                other_registrations,
                r -> CASE WHEN r['active'] IS DISTINCT FROM false THEN non_blank(r['number']) END
            )
        ),
        array_any_value(
            array_transform(
                remit_registrations,
                r -> CASE WHEN r['active'] IS DISTINCT FROM false THEN non_blank(r['number']) END
            )
        )
    ) AS tax_number,
    duns,
    CAST(NULL AS VARCHAR) AS registration_number,
    coalesce(non_blank(website), non_blank(corporate_url)) AS website,
    CAST(NULL AS VARCHAR) AS currency,
    CAST(coalesce(business_entity_id, enterprise['id']) AS VARCHAR) AS company_id,
    CAST(parent['id'] AS VARCHAR) AS parent_id,
    parent['name'] AS parent_name,
    CAST(coalesce(payment_term['id'], payment_term_id) AS VARCHAR) AS payment_term_id,
    payment_term['code'] AS payment_term_name,
    payment_method,
    shipping_term['code'] AS shipping_term,
    account_number,
    CAST(NULL AS VARCHAR) AS default_account_id,
    on_hold,
    buyer_hold AS on_buyer_hold,
    one_time_supplier AS one_time,
    invoice_matching_level,
    CAST(commodity['id'] AS VARCHAR) AS commodity_id,
    commodity['name'] AS commodity_name,
    array_transform(
        array_sort(array_compact(array_transform(account_types, a -> a['id']))), x -> CAST(x AS VARCHAR)
    ) AS account_type_ids,
    array_transform(
        array_sort(array_compact(array_transform(content_groups, g -> g['id']))), x -> CAST(x AS VARCHAR)
    ) AS business_group_ids,
    _lineage
FROM numbered
