-- preflight_role --
-- The loader: no bypass, no administration, member of nothing.
SELECT r.rolname AS role, r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication
        AS is_privileged,
    EXISTS (SELECT FROM pg_catalog.pg_auth_members AS m WHERE m.member = r.oid) AS is_member,
    session_user <> current_user AS is_switched
FROM pg_catalog.pg_roles AS r
WHERE r.rolname = current_user;

-- preflight_tables --
-- Row-level security, ownership and rights of every table of the target schema.
SELECT c.relname AS table_name, c.relrowsecurity AND c.relforcerowsecurity AS is_forced,
    pg_catalog.pg_has_role(current_user, c.relowner, 'MEMBER') AS is_owned,
    pg_catalog.has_table_privilege(c.oid, 'TRUNCATE, TRIGGER, REFERENCES') AS has_excess,
    c.relispartition AND pg_catalog.has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE')
        AS has_direct_grant,
    (
        SELECT count(*)
        FROM pg_catalog.pg_policy AS p
        WHERE p.polrelid = c.oid AND NOT p.polpermissive AND p.polcmd = '*' AND p.polroles = '{0}'
            AND pg_catalog.pg_get_expr(p.polqual, p.polrelid) = %(policy)s::text
            AND pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) = %(policy)s::text
    ) AS tenant_policies
FROM pg_catalog.pg_class AS c
WHERE c.relnamespace = 'app'::regnamespace AND c.relkind IN ('r', 'p')
ORDER BY c.relname;

-- preflight_settings --
-- A session in which row-level security works as it should.
SELECT current_setting('row_security') = 'on' AS row_security_on,
    current_setting('session_replication_role') = 'origin' AS triggers_fire,
    nullif(current_setting('app.tenant_id', true), '') IS NULL AS no_tenant_left;
