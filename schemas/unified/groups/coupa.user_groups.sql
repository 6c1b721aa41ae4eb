-- Coupa user groups to unified.groups; those of projects are left out.
WITH memberships AS (
    SELECT
        coalesce(user_group_id, user_group['id']) AS group_id,
        coalesce(user_id, user['id']) AS user_id,
        min(id) AS membership_id,
        max(user['fullname']) AS user_name,
        bool_or(owner) AS is_owner,
        bool_or(participant) AS is_participant
    FROM coupa.user_group_memberships
    GROUP BY coalesce(user_group_id, user_group['id']), coalesce(user_id, user['id'])
),
listed AS (
    SELECT group_id, person['id'] AS user_id, max(person['fullname']) AS user_name
    FROM (SELECT id AS group_id, unnest(users) AS person FROM coupa.user_groups)
    WHERE person['id'] IS NOT NULL
    GROUP BY group_id, person['id']
),
-- The group's own list says who belongs to it; memberships say how, or stand in for a missing list.
members AS (
    SELECT
        listed.group_id,
        listed.user_id,
        coalesce(listed.user_name, memberships.user_name) AS user_name,
        memberships.membership_id,
        memberships.is_owner,
        memberships.is_participant
    FROM listed
    LEFT JOIN memberships ON memberships.group_id = listed.group_id AND memberships.user_id = listed.user_id
    UNION ALL
    SELECT
        memberships.group_id,
        memberships.user_id,
        memberships.user_name,
        memberships.membership_id,
        memberships.is_owner,
        memberships.is_participant
    FROM (SELECT id FROM coupa.user_groups WHERE users IS NULL) AS unlisted
    JOIN memberships ON memberships.group_id = unlisted.id
    WHERE memberships.user_id IS NOT NULL
),
gathered AS (
    SELECT
        group_id,
        array_agg(
            named_struct(
                'user_id', CAST(user_id AS VARCHAR),
                'user_name', user_name,
                'membership_id', CAST(membership_id AS VARCHAR),
                'is_owner', is_owner,
                'is_participant', is_participant
            )
            ORDER BY user_id
        ) AS members
    FROM members
    GROUP BY group_id
)
SELECT
    CAST(g.id AS VARCHAR) AS id,
    created_at,
    updated_at,
    CAST(created_by['id'] AS VARCHAR) AS created_by_id,
    CAST(updated_by['id'] AS VARCHAR) AS updated_by_id,
    CASE WHEN active THEN 'active' WHEN NOT active THEN 'archived' END AS status,
    CAST(active AS VARCHAR) AS remote_status,
    custom_fields,
    name,
    description,
    CAST(NULL AS VARCHAR) AS organization_id,
    'group' AS group_type,
    open AS is_open,
    can_approve,
    CAST(owner['id'] AS VARCHAR) AS owner_id,
    array_transform(members, m -> m['user_id']) AS member_ids,
    members,
    _lineage
FROM gathered
RIGHT JOIN (SELECT * FROM coupa.user_groups WHERE status_key(type) IS DISTINCT FROM 'project') AS g ON g.id = gathered.group_id
