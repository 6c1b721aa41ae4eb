-- Users who joined or left a group.
SELECT DISTINCT coalesce(user_id, user['id']) AS id
FROM changed.user_group_memberships
WHERE coalesce(user_id, user['id']) IS NOT NULL
