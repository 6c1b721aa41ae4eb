-- Roles of unified.users, one row each.
SELECT
    concat(user_id, ':', coalesce(entry['id'], CAST(ordinal AS VARCHAR))) AS id,
    user_id,
    CAST(ordinal AS INT) AS ordinal,
    created_at,
    updated_at,
    created_by_id,
    updated_by_id,
    CAST(NULL AS VARCHAR) AS status,
    CAST(NULL AS VARCHAR) AS remote_status,
    CASE WHEN false THEN custom_fields END AS custom_fields,
    entry['id'] AS role_id,
    entry['name'] AS role_name,
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
        id AS user_id,
        created_at,
        updated_at,
        created_by_id,
        updated_by_id,
        custom_fields,
        connection_id,
        remote_object,
        is_deleted,
        deleted_at,
        _extracted_at,
        _run_id,
        _content_hash,
        _schema_version,
        unnest(range(1, CAST(cardinality(roles) AS BIGINT) + 1)) AS ordinal,
        unnest(roles) AS entry
    FROM unified.users
)
