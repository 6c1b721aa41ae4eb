-- Coupa users to unified.employees; those that stand for programs are left out.
SELECT
    CAST(id AS VARCHAR) AS id,
    created_at,
    updated_at,
    CAST(created_by['id'] AS VARCHAR) AS created_by_id,
    CAST(updated_by['id'] AS VARCHAR) AS updated_by_id,
    CASE WHEN active THEN 'active' WHEN NOT active THEN 'inactive' END AS status,
    CAST(active AS VARCHAR) AS remote_status,
    custom_fields,
    firstname AS first_name,
    lastname AS last_name,
    coalesce(
        non_blank(fullname),
        NULLIF(concat_ws(' ', non_blank(firstname), non_blank(lastname)), '')
    ) AS name,
    employee_number,
    non_blank(business_function) AS title,
    array_filter(
        make_array(named_struct('email', non_blank(email), 'type', 'work', 'is_primary', true)),
        e -> e['email'] IS NOT NULL
    ) AS emails,
    array_filter(
        make_array(
            named_struct(
                'number', CASE WHEN non_blank(phone_work['number']) IS NOT NULL THEN concat_ws(
                    ' ', non_blank(phone_work['country_code']),
                    non_blank(phone_work['area_code']), phone_work['number']
                ) END,
                'extension', phone_work['extension'],
                'country_code', phone_work['country_code'],
                'type', 'work'
            ),
            named_struct(
                'number', CASE WHEN non_blank(phone_mobile['number']) IS NOT NULL THEN concat_ws(
                    ' ', non_blank(phone_mobile['country_code']),
                    non_blank(phone_mobile['area_code']), phone_mobile['number']
                ) END,
                'extension', phone_mobile['extension'],
                'country_code', phone_mobile['country_code'],
                'type', 'mobile'
            )
        ),
        p -> p['number'] IS NOT NULL
    ) AS phones,
    array_compact(make_array(CASE WHEN default_address IS NOT NULL THEN named_struct(
        'id', CAST(default_address['id'] AS VARCHAR), 'name', default_address['name'], 'type', 'default',
        'street_1', default_address['street1'], 'street_2', default_address['street2'],
        'street_3', default_address['street3'], 'street_4', default_address['street4'],
        'city', default_address['city'],
        'state', default_address['state'],
        'state_code', default_address['state_iso_code'],
        'country', default_address['country']['name'], 'country_code', default_address['country']['code'],
        'postal_code', default_address['postal_code'], 'location_code', default_address['location_code'],
        'attention', default_address['attention']
    ) END)) AS addresses,
    CAST(manager['id'] AS VARCHAR) AS manager_id,
    manager['fullname'] AS manager_name,
    CAST(department['id'] AS VARCHAR) AS department_id,
    department['name'] AS department_name,
    CAST(default_account['id'] AS VARCHAR) AS default_account_id,
    purchasing_user AS is_purchasing,
    array_compact(
        array_transform(list_sort_by(roles, array_transform(roles, r -> r['id'])), r -> r['name'])
    ) AS role_names,
    login,
    default_currency['code'] AS currency,
    CAST(default_account_type['id'] AS VARCHAR) AS company_id,
    default_account_type['name'] AS company_name,
    _lineage
FROM coupa.users
WHERE api_user IS DISTINCT FROM true
