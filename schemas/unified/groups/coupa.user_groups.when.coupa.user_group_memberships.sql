-- Groups that someone joined or left.
SELECT DISTINCT coalesce(user_group_id, user_group['id']) AS id
FROM changed.user_group_memberships
WHERE coalesce(user_group_id, user_group['id']) IS NOT NULL
