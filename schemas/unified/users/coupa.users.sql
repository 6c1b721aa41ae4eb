-- Coupa users to unified.users. Passwords are never read.
WITH memberships AS (
    -- For users whose own record does not list their groups. Groups of projects are no groups here.
    SELECT
        member.user_id,
        array_agg(
            named_struct(
                'id', CAST(member.group_id AS VARCHAR), 'name', member.group_name
            ) ORDER BY member.group_id
        ) AS groups
    FROM (
        SELECT
            coalesce(user_id, user['id']) AS user_id,
            coalesce(user_group_id, user_group['id']) AS group_id,
            max(user_group['name']) AS group_name
        FROM coupa.user_group_memberships
        WHERE coalesce(status_key(coalesce(non_blank(user_group_type), user_group['type'])), '') <> 'project'
        GROUP BY coalesce(user_id, user['id']), coalesce(user_group_id, user_group['id'])
    ) AS member
    JOIN (SELECT id FROM coupa.users WHERE user_groups IS NULL) AS wanted ON wanted.id = member.user_id
    WHERE member.group_id IS NOT NULL
    GROUP BY member.user_id
),
joined AS (
    SELECT u.*, memberships.groups AS joined_groups
    FROM memberships
    RIGHT JOIN coupa.users AS u ON u.id = memberships.user_id
),
identified AS (
    SELECT
        u.*,
        array_filter(
            make_array(
                named_struct('key', 'login', 'value', non_blank(login)),
                named_struct('key', 'employee_number', 'value', non_blank(employee_number)),
                named_struct('key', 'sso_identifier', 'value', non_blank(sso_identifier)),
                named_struct('key', 'salesforce_id', 'value', non_blank(salesforce_id))
            ),
            entry -> entry['value'] IS NOT NULL
        ) AS entries
    FROM joined AS u
)
SELECT
    CAST(id AS VARCHAR) AS id,
    created_at,
    updated_at,
    CAST(created_by['id'] AS VARCHAR) AS created_by_id,
    CAST(updated_by['id'] AS VARCHAR) AS updated_by_id,
    CASE WHEN active THEN 'active' WHEN NOT active THEN 'inactive' END AS status,
    CAST(active AS VARCHAR) AS remote_status,
    custom_fields,
    login AS username,
    CAST(NULL AS VARCHAR) AS external_id,
    map(
        array_transform(entries, entry -> entry['key']), array_transform(entries, entry -> entry['value'])
    ) AS identifiers,
    firstname AS first_name,
    lastname AS last_name,
    coalesce(
        non_blank(fullname),
        NULLIF(concat_ws(' ', non_blank(firstname), non_blank(lastname)), '')
    ) AS name,
    non_blank(business_function) AS title,
    non_blank(seniority_level) AS seniority_level,
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
    CAST(NULL AS BOOLEAN) AS is_email_verified,
    CAST(NULL AS BOOLEAN) AS is_2fa_enabled,
    CASE WHEN api_user THEN 'api' ELSE 'user' END AS type,
    supplier_user AS is_supplier_user,
    CAST(supplier_id AS VARCHAR) AS supplier_id,
    array_transform(
        list_sort_by(roles, array_transform(roles, r -> r['id'])),
        r -> named_struct(
            'id', CAST(r['id'] AS VARCHAR),
            'name', r['name'],
            'group', CAST(NULL AS VARCHAR),
            'organization', CAST(NULL AS VARCHAR),
            'workspace', CAST(NULL AS VARCHAR)
        )
    ) AS roles,
    CASE
        WHEN user_groups IS NOT NULL THEN array_transform(
            list_sort_by(user_groups, array_transform(user_groups, g -> g['id'])),
            g -> named_struct('id', CAST(g['id'] AS VARCHAR), 'name', g['name'])
        )
        ELSE joined_groups
    END AS groups,
    CASE
        WHEN false THEN array_transform(
            user_groups, g -> named_struct('id', CAST(g['id'] AS VARCHAR), 'name', g['name'])
        )
    END AS organizations,
    array_transform(
        list_sort_by(content_groups, array_transform(content_groups, g -> g['id'])),
        g -> named_struct('id', CAST(g['id'] AS VARCHAR), 'name', g['name'])
    ) AS workspaces,
    array_transform(
        array_compact(make_array(
            CASE WHEN purchasing_user THEN 'purchasing' END,
            CASE WHEN expense_user THEN 'expense' END,
            CASE WHEN sourcing_user THEN 'sourcing' END,
            CASE WHEN inventory_user THEN 'inventory' END,
            CASE WHEN contracts_user THEN 'contracts' END,
            CASE WHEN analytics_user THEN 'analytics' END,
            CASE WHEN aic_user THEN 'aic' END,
            CASE WHEN spend_guard_user THEN 'spend_guard' END,
            CASE WHEN supply_chain_user THEN 'supply_chain' END,
            CASE WHEN ccw_user THEN 'ccw' END,
            CASE WHEN risk_assess_user THEN 'risk_assess' END,
            CASE WHEN treasury_user THEN 'treasury' END,
            CASE WHEN travel_user THEN 'travel' END,
            CASE WHEN category_planner_user THEN 'category_planner' END,
            CASE WHEN category_strategy_user THEN 'category_strategy' END,
            CASE WHEN invoicing_user THEN 'invoicing' END,
            CASE WHEN msp_user THEN 'msp' END,
            CASE WHEN clm_advanced_user THEN 'clm_advanced' END
        )),
        flag -> named_struct(
            'id', flag, 'name', flag,
            'last_active_at', arrow_cast(NULL, 'Timestamp(Microsecond, Some("UTC"))')
        )
    ) AS licenses,
    CAST(manager['id'] AS VARCHAR) AS manager_id,
    CAST(department['id'] AS VARCHAR) AS department_id,
    department['name'] AS department_name,
    avatar_thumb_url AS avatar,
    CAST(NULL AS VARCHAR) AS timezone,
    CAST(NULL AS VARCHAR) AS bio,
    CASE WHEN false THEN make_array(login) END AS urls,
    array_compact(make_array(non_blank(default_locale))) AS languages,
    CASE WHEN false THEN created_at END AS last_login_at,
    _lineage
FROM identified
