-- preflight_tree --
-- The tables of the plan's entities and everything below them: what the other checks look at.
WITH RECURSIVE tree (id, depth) AS (
    SELECT to_regclass(quote_ident(%(schema)s::text) || '.' || quote_ident(e.entity))::oid, 0
    FROM unnest(%(entities)s::text[]) AS e (entity)
    UNION
    SELECT i.inhrelid, t.depth + 1
    FROM tree AS t
    JOIN pg_inherits AS i ON i.inhparent = t.id
)
SELECT c.oid::bigint AS id, t.depth > 0 AS is_child
FROM tree AS t
JOIN pg_class AS c ON c.oid = t.id
WHERE c.relkind IN ('r', 'p', 'f');

-- preflight_direct_connection --
-- A pooler answers with a process number of its own when a connection is made.
SELECT 'the connection is to a pooler or proxy, not to the server process behind it' AS finding
WHERE pg_backend_pid() <> %(backend_pid)s::integer;

-- preflight_session --
-- Names are qualified here: this is the check that says whether the others may leave that out.
SELECT f.finding
FROM (VALUES
    (pg_catalog.current_setting('row_security') OPERATOR(pg_catalog.<>) 'on', 'row_security is off'),
    (pg_catalog.current_setting('session_replication_role') OPERATOR(pg_catalog.<>) 'origin',
        'session_replication_role keeps triggers from firing'),
    (nullif(pg_catalog.current_setting('app.tenant_id', true), '') IS NOT NULL, 'a tenant is left over in app.tenant_id'),
    (pg_catalog.current_setting('transaction_isolation') OPERATOR(pg_catalog.<>) 'read committed',
        'transactions are not READ COMMITTED'),
    ((
        SELECT s.name OPERATOR(pg_catalog.<>) 'pg_catalog'
        FROM pg_catalog.unnest(pg_catalog.current_schemas(true)) WITH ORDINALITY AS s (name, place)
        WHERE pg_catalog.left(s.name::pg_catalog.text, 8) OPERATOR(pg_catalog.<>) 'pg_temp_'
        ORDER BY s.place
        LIMIT 1
    ), 'search_path has another schema before pg_catalog'),
    (pg_catalog.current_setting('lock_timeout') OPERATOR(pg_catalog.=) '0', 'lock_timeout is off'),
    (pg_catalog.current_setting('statement_timeout') OPERATOR(pg_catalog.=) '0', 'statement_timeout is off'),
    (pg_catalog.current_setting('idle_in_transaction_session_timeout') OPERATOR(pg_catalog.=) '0',
        'idle_in_transaction_session_timeout is off'),
    (pg_catalog.current_setting('lock_timeout')::pg_catalog.interval
        OPERATOR(pg_catalog.+) pg_catalog.current_setting('statement_timeout')::pg_catalog.interval
        OPERATOR(pg_catalog.+) pg_catalog.current_setting('idle_in_transaction_session_timeout')::pg_catalog.interval
        OPERATOR(pg_catalog.>=) '1 minute'::pg_catalog.interval,
        'lock_timeout, statement_timeout and idle_in_transaction_session_timeout add up to a lease or more')
) AS f (is_so, finding)
WHERE f.is_so;

-- preflight_login_role --
-- Attributes that stand above row-level security, or lead there.
SELECT quote_ident(r.rolname) || ' ' || f.what AS finding
FROM pg_roles AS r
CROSS JOIN LATERAL (VALUES
    (r.rolsuper, 'is a superuser'),
    (r.rolbypassrls, 'bypasses row-level security'),
    (r.rolcreaterole, 'may create roles'),
    (r.rolcreatedb, 'may create databases'),
    (r.rolreplication, 'may replicate the whole server'),
    (session_user <> current_user, 'is not the role that logged in')
) AS f (is_so, what)
WHERE r.rolname = current_user AND f.is_so;

-- preflight_memberships --
-- Whatever the loader is a member of, directly; an indirect membership begins with a direct one.
SELECT quote_ident(current_user) || ' is a member of ' || quote_ident(g.rolname) AS finding
FROM pg_auth_members AS m
JOIN pg_roles AS g ON g.oid = m.roleid
WHERE m.member = current_user::regrole
ORDER BY g.rolname;

-- preflight_ownership --
-- Database, schemas and relations that the loader, or a role that it is a member of, owns.
SELECT 'database ' || quote_ident(d.datname) AS finding
FROM pg_database AS d
WHERE d.datname = current_database() AND pg_has_role(current_user, d.datdba, 'MEMBER')
UNION ALL
SELECT 'schema ' || quote_ident(n.nspname)
FROM pg_namespace AS n
WHERE (n.nspname IN (%(schema)s::text, 'seed_build', 'seed_control')
        OR n.oid IN (SELECT c.relnamespace FROM pg_class AS c WHERE c.oid = ANY (%(mapped)s::oid[])))
    AND pg_has_role(current_user, n.nspowner, 'MEMBER')
UNION ALL
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname)
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE (n.nspname IN (%(schema)s::text, 'seed_build', 'seed_control') OR c.oid = ANY (%(tables)s::oid[] || %(mapped)s::oid[]))
    AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND pg_has_role(current_user, c.relowner, 'MEMBER')
ORDER BY finding;

-- preflight_creation_rights --
-- Where the loader could make objects of its own. Its temporary tables are its own business.
SELECT 'in database ' || quote_ident(current_database()) AS finding
WHERE has_database_privilege(current_database(), 'CREATE')
UNION ALL
SELECT 'in schema ' || quote_ident(n.nspname)
FROM pg_namespace AS n
WHERE left(n.nspname, 8) NOT IN ('pg_temp_', 'pg_toast') AND has_schema_privilege(n.oid, 'CREATE')
ORDER BY finding;

-- preflight_target_tables --
-- No table at all is a finding: nothing to look at is not the same as nothing wrong.
SELECT 'the plan names no table' AS finding
WHERE cardinality(%(entities)s::text[]) = 0
UNION ALL
SELECT %(schema)s::text || '.' || e.entity || CASE WHEN c.oid IS NULL THEN ' is missing' ELSE ' is not a table' END
FROM unnest(%(entities)s::text[]) AS e (entity)
LEFT JOIN pg_class AS c ON c.oid = to_regclass(quote_ident(%(schema)s::text) || '.' || quote_ident(e.entity))
WHERE c.oid IS NULL OR c.relkind NOT IN ('r', 'p');

-- preflight_row_security --
-- Switched on, also for the owner, and not passed over for the loader.
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) || ': ' || f.what AS finding
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (VALUES
    (NOT c.relrowsecurity, 'not enabled'),
    (NOT c.relforcerowsecurity, 'not forced'),
    (NOT row_security_active(c.oid), 'not applied to ' || quote_ident(current_user))
) AS f (is_so, what)
WHERE c.oid = ANY (%(tables)s::oid[] || %(mapped)s::oid[]) AND f.is_so
ORDER BY c.relname, f.what;

-- preflight_tenant_policy --
-- Exactly two policies: the restrictive one, and the permissive one that it restricts.
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) || ': ' || f.what AS finding
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
    SELECT count(*) AS policies,
        count(*) FILTER (
            WHERE p.polcmd = '*' AND p.polroles = '{0}' AND NOT p.polpermissive
                AND pg_get_expr(p.polqual, p.polrelid) = %(policy)s::text
                AND pg_get_expr(p.polwithcheck, p.polrelid) = %(policy)s::text
        ) AS restrictive,
        count(*) FILTER (
            WHERE p.polcmd = '*' AND p.polroles = '{0}' AND p.polpermissive
                AND pg_get_expr(p.polqual, p.polrelid) = 'true' AND p.polwithcheck IS NULL
        ) AS permissive
    FROM pg_policy AS p
    WHERE p.polrelid = c.oid
) AS found
CROSS JOIN LATERAL (VALUES
    (found.restrictive <> 1, 'not the restrictive policy, word for word'),
    (found.permissive <> 1, 'not the permissive policy USING (true)'),
    (found.policies > found.restrictive + found.permissive, 'a policy more')
) AS f (is_so, what)
WHERE c.oid = ANY (%(tables)s::oid[]) AND f.is_so
ORDER BY c.relname, f.what;

-- preflight_table_rights --
-- By the grants themselves, so that a right that a newer server knows is a finding too.
SELECT DISTINCT quote_ident(n.nspname) || '.' || quote_ident(c.relname) || ': ' || a.privilege_type
    || CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END AS finding
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
    SELECT g.grantee, g.privilege_type, g.is_grantable FROM aclexplode(c.relacl) AS g
    UNION ALL
    SELECT g.grantee, g.privilege_type, g.is_grantable
    FROM pg_attribute AS t
    CROSS JOIN LATERAL aclexplode(t.attacl) AS g
    WHERE t.attrelid = c.oid
) AS a
WHERE c.oid = ANY (%(tables)s::oid[] || %(mapped)s::oid[]) AND a.grantee IN (0, current_user::regrole)
    AND (a.privilege_type NOT IN ('SELECT', 'INSERT', 'UPDATE', 'DELETE') OR a.is_grantable)
ORDER BY finding;

-- preflight_rules --
-- Tables have none of their own.
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) || ': rule ' || quote_ident(r.rulename) AS finding
FROM pg_rewrite AS r
JOIN pg_class AS c ON c.oid = r.ev_class
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.oid = ANY (%(tables)s::oid[] || %(mapped)s::oid[])
ORDER BY finding;

-- preflight_triggers --
-- Constraints have triggers of the server's own making; nobody else has.
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname)
    || CASE WHEN t.tgisinternal THEN ': a constraint is switched off' ELSE ': trigger ' || quote_ident(t.tgname) END
    AS finding
FROM pg_trigger AS t
JOIN pg_class AS c ON c.oid = t.tgrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.oid = ANY (%(tables)s::oid[]) AND (NOT t.tgisinternal OR t.tgenabled <> 'O')
ORDER BY finding;

-- preflight_partitions --
-- Below a target: ordinary tables without a grant. A target itself is below nothing.
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) || ': ' || f.what AS finding
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (VALUES
    (c.oid = ANY (%(children)s::oid[]) AND c.relkind NOT IN ('r', 'p'), 'not an ordinary table'),
    (c.oid = ANY (%(children)s::oid[]) AND (
        has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
        OR has_any_column_privilege(c.oid, 'SELECT, INSERT, UPDATE, REFERENCES')
    ), 'a grant of its own'),
    (c.oid <> ALL (%(children)s::oid[]) AND EXISTS (SELECT FROM pg_inherits AS i WHERE i.inhrelid = c.oid),
        'read through a table above it')
) AS f (is_so, what)
WHERE c.oid = ANY (%(tables)s::oid[]) AND f.is_so
ORDER BY c.relname, f.what;

-- preflight_views --
-- Views that read as their owner: those that the loader has any right on, and whoever else's that open personal columns.
-- Objects of extensions are left out: whoever installs one has all rights anyway.
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS finding
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'v' AND c.oid >= 16384
    AND (n.nspname = 'app_opened' OR has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE')
        OR has_any_column_privilege(c.oid, 'SELECT, INSERT, UPDATE'))
    AND NOT EXISTS (
        SELECT FROM pg_options_to_table(c.reloptions) AS o
        WHERE o.option_name = 'security_invoker' AND o.option_value::boolean
    )
    AND NOT EXISTS (
        SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
    )
ORDER BY finding;

-- preflight_other_relations --
-- What holds rows without a policy and can be reached. The tables of the control plane hold no tenant's rows; those of
-- the builds have a check of their own.
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) || CASE c.relkind
    WHEN 'm' THEN ' is a materialized view' WHEN 'f' THEN ' is a foreign table' ELSE ' has no tenant policy' END AS finding
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm', 'f') AND c.oid >= 16384 AND c.oid <> ALL (%(tables)s::oid[] || %(mapped)s::oid[])
    AND (has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')
        OR has_any_column_privilege(c.oid, 'SELECT, INSERT, UPDATE'))
    AND (c.relkind IN ('m', 'f') OR NOT (
        n.nspname IN ('seed_control', 'seed_build')
        OR c.relrowsecurity AND c.relforcerowsecurity AND EXISTS (
            SELECT FROM pg_policy AS p
            WHERE p.polrelid = c.oid AND p.polcmd = '*' AND p.polroles = '{0}'
                -- A permissive policy holds where it is alone.
                AND (NOT p.polpermissive OR 1 = (SELECT count(*) FROM pg_policy AS o WHERE o.polrelid = c.oid))
                AND pg_get_expr(p.polqual, p.polrelid) IN (%(policy)s::text, %(mapped_policy)s::text)
                AND coalesce(pg_get_expr(p.polwithcheck, p.polrelid), pg_get_expr(p.polqual, p.polrelid))
                    IN (%(policy)s::text, %(mapped_policy)s::text)
        )
    ))
    AND NOT EXISTS (
        SELECT FROM pg_depend AS d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
    )
ORDER BY finding;

-- preflight_definer_functions --
-- Allowed: what the migrations made, word for word, owned by a plain owner of seed_control, with a pinned search_path.
SELECT quote_ident(n.nspname) || '.' || quote_ident(p.proname) || '(' || pg_get_function_identity_arguments(p.oid)
    || ')' || CASE
        WHEN NOT allowed.is_migrated THEN ' is not of the migrations'
        WHEN NOT allowed.is_owned THEN ' is not owned as migrated'
        ELSE ' has no pinned search_path'
    END AS finding
FROM pg_proc AS p
JOIN pg_namespace AS n ON n.oid = p.pronamespace
JOIN pg_roles AS o ON o.oid = p.proowner
CROSS JOIN LATERAL (
    SELECT n.nspname = 'seed_control' AND EXISTS (
            SELECT FROM unnest(%(function_names)s::text[], %(function_bodies)s::text[]) AS m (name, body)
            WHERE m.name = p.proname AND m.body = encode(sha256(convert_to(p.prosrc, 'UTF8')), 'hex')
        ) AS is_migrated,
        p.proowner = n.nspowner AND NOT (o.rolsuper OR o.rolbypassrls) AS is_owned,
        NOT p.prosecdef OR coalesce(
            p.proconfig && ARRAY['search_path=pg_catalog', 'search_path=pg_catalog, pg_temp'], false
        ) AS is_pinned
) AS allowed
WHERE (n.nspname = 'seed_control' OR p.prosecdef AND has_function_privilege(p.oid, 'EXECUTE'))
    AND NOT (allowed.is_migrated AND allowed.is_owned AND allowed.is_pinned)
    AND NOT EXISTS (
        SELECT FROM pg_depend AS d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
    )
ORDER BY finding;

-- preflight_leakproof_functions --
-- The server's own ones are trusted.
SELECT quote_ident(n.nspname) || '.' || quote_ident(p.proname) || '(' || pg_get_function_identity_arguments(p.oid) || ')'
    AS finding
FROM pg_proc AS p
JOIN pg_namespace AS n ON n.oid = p.pronamespace
WHERE p.proleakproof AND p.oid >= 16384 AND has_function_privilege(p.oid, 'EXECUTE')
    AND NOT EXISTS (
        SELECT FROM pg_depend AS d WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e'
    )
ORDER BY finding;

-- preflight_tenant_keys --
-- The tenant first, in whatever the server enforces without asking a policy. Copies on partitions follow their parent.
WITH target AS (
    SELECT c.oid AS id, quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS name, (
        SELECT a.attnum
        FROM pg_attribute AS a
        WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND a.attnotnull AND NOT a.attisdropped
            AND a.atttypid = 'uuid'::regtype
    ) AS tenant
    FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.oid = ANY (%(tables)s::oid[])
)
SELECT t.name || ': no tenant_id uuid NOT NULL' AS finding
FROM target AS t
WHERE t.tenant IS NULL
UNION ALL
SELECT t.name || ': unique index ' || quote_ident(c.relname)
FROM target AS t
JOIN pg_index AS x ON x.indrelid = t.id
JOIN pg_class AS c ON c.oid = x.indexrelid
WHERE (x.indisunique OR x.indisexclusion) AND NOT c.relispartition AND x.indkey[0] IS DISTINCT FROM t.tenant
UNION ALL
SELECT t.name || ': foreign key ' || quote_ident(k.conname)
FROM target AS t
JOIN pg_constraint AS k ON k.conrelid = t.id
LEFT JOIN pg_attribute AS there ON there.attrelid = k.confrelid AND there.attnum = k.confkey[1]
WHERE k.contype = 'f' AND k.conparentid = 0
    AND (k.conkey[1] IS DISTINCT FROM t.tenant OR there.attname IS DISTINCT FROM 'tenant_id')
ORDER BY finding;

-- preflight_sequences --
-- Columns that number themselves, and sequences that the loader could move.
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) || '.' || quote_ident(a.attname)
    || CASE WHEN a.attidentity = '' THEN ' takes its default from a sequence' ELSE ' is an identity column' END AS finding
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.oid = ANY (%(tables)s::oid[]) AND (a.attidentity <> '' OR EXISTS (
    SELECT FROM pg_attrdef AS v
    JOIN pg_depend AS d ON d.classid = 'pg_attrdef'::regclass AND d.objid = v.oid AND d.refclassid = 'pg_class'::regclass
    JOIN pg_class AS s ON s.oid = d.refobjid AND s.relkind = 'S'
    WHERE v.adrelid = c.oid AND v.adnum = a.attnum
))
UNION ALL
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) || ' can be moved by ' || quote_ident(current_user)
FROM pg_class AS c
JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.oid >= 16384 AND n.nspname <> 'seed_control'
    -- The server may ask in any order, and the question about a table is an error.
    AND CASE WHEN c.relkind = 'S' THEN has_sequence_privilege(c.oid, 'USAGE, UPDATE') END
    -- Those that the keys of an application's tables are drawn from have a check of their own.
    AND c.oid <> ALL (%(mapped_sequences)s::oid[])
ORDER BY finding;

-- preflight_build_tables --
-- Open for inserts: by the CHECK of its seed run's tenant. Open for reading: by row-level security. For nothing else.
-- A table that is being sealed at this moment is locked: looking at its expressions would wait for the whole seal, and
-- nobody else can write to it.
WITH builds AS MATERIALIZED (
    SELECT t.oid, t.relname, t.relrowsecurity, t.relforcerowsecurity
    FROM pg_class AS t
    WHERE t.relnamespace = 'seed_build'::regnamespace AND t.relkind IN ('r', 'p', 'v', 'm', 'f')
        AND NOT EXISTS (
            SELECT FROM pg_locks AS l
            WHERE l.locktype = 'relation' AND l.relation = t.oid AND l.mode = 'AccessExclusiveLock' AND l.granted
                AND l.pid <> pg_backend_pid()
        )
)
SELECT 'seed_build.' || quote_ident(c.relname) || ': ' || f.what AS finding
FROM builds AS c
LEFT JOIN seed_control.build_table AS b ON b.table_name = c.relname
LEFT JOIN seed_control.seed_run AS r ON r.id = b.seed_run_id
CROSS JOIN LATERAL (VALUES
    (has_any_column_privilege(c.oid, 'INSERT') AND NOT EXISTS (
        SELECT FROM pg_constraint AS k
        WHERE k.conrelid = c.oid AND k.contype = 'c' AND k.convalidated
            AND pg_get_expr(k.conbin, k.conrelid) = '(tenant_id = ''' || r.tenant_id || '''::uuid)'
    ), 'no CHECK of its tenant'),
    (has_any_column_privilege(c.oid, 'SELECT') AND NOT (c.relrowsecurity AND c.relforcerowsecurity AND EXISTS (
        SELECT FROM pg_policy AS p
        WHERE p.polrelid = c.oid AND p.polcmd = '*' AND p.polroles = '{0}' AND NOT p.polpermissive
            AND pg_get_expr(p.polqual, p.polrelid) = %(policy)s::text
    )), 'readable without the tenant policy'),
    (has_table_privilege(c.oid, 'DELETE, TRUNCATE, REFERENCES, TRIGGER') OR has_any_column_privilege(c.oid, 'UPDATE'),
        'more than INSERT or SELECT')
) AS f (is_so, what)
WHERE f.is_so
ORDER BY finding;

-- preflight_again --
-- The part that a batch can afford: role, session, row-level security and policy of the targets, CHECK of the build
-- table. The owner may have changed them since the seed run began.
SELECT f.finding
FROM (VALUES
    (pg_backend_pid() <> %(backend_pid)s::integer, 'direct-connection: a pooler has come between'),
    (session_user <> current_user OR EXISTS (
        SELECT FROM pg_roles AS r
        WHERE r.rolname = current_user
            AND (r.rolsuper OR r.rolbypassrls OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication)
    ), 'login-role: the loader has a right over the server'),
    (EXISTS (SELECT FROM pg_auth_members AS m WHERE m.member = current_user::regrole),
        'memberships: the loader is a member of a role'),
    (current_setting('row_security') <> 'on' OR current_setting('session_replication_role') <> 'origin'
        OR nullif(current_setting('app.tenant_id', true), '') IS NOT NULL
        OR current_setting('transaction_isolation') <> 'read committed',
        'session: a setting has changed'),
    (%(build_table)s::text IS NOT NULL AND NOT EXISTS (
        SELECT FROM pg_constraint AS k
        WHERE k.conrelid = to_regclass('seed_build.' || quote_ident(%(build_table)s::text)) AND k.contype = 'c'
            AND k.convalidated
            AND pg_get_expr(k.conbin, k.conrelid) = '(tenant_id = ''' || %(tenant_id)s::uuid || '''::uuid)'
    ), 'build-tables: the build table has no CHECK of its tenant')
) AS f (is_so, finding)
WHERE f.is_so
UNION ALL
SELECT CASE
        WHEN c.oid IS NULL OR c.relkind NOT IN ('r', 'p') THEN 'target-tables: '
        WHEN found.policies = 2 AND found.restrictive = 1 THEN 'row-security: '
        ELSE 'tenant-policy: '
    END || %(schema)s::text || '.' || e.entity
FROM unnest(%(entities)s::text[]) AS e (entity)
LEFT JOIN pg_class AS c ON c.oid = to_regclass(quote_ident(%(schema)s::text) || '.' || quote_ident(e.entity))
LEFT JOIN LATERAL (
    SELECT count(*) AS policies, count(*) FILTER (
            WHERE p.polcmd = '*' AND p.polroles = '{0}' AND NOT p.polpermissive
                AND pg_get_expr(p.polqual, p.polrelid) = %(policy)s::text
                AND pg_get_expr(p.polwithcheck, p.polrelid) = %(policy)s::text
        ) AS restrictive
    FROM pg_policy AS p
    WHERE p.polrelid = c.oid
) AS found ON true
WHERE c.oid IS NULL OR c.relkind NOT IN ('r', 'p') OR NOT (c.relrowsecurity AND c.relforcerowsecurity)
    OR NOT row_security_active(c.oid) OR found.policies <> 2 OR found.restrictive <> 1;

-- preflight_stranger --
-- A tenant that nobody is, for the rest of the transaction.
SELECT set_config('app.tenant_id', gen_random_uuid()::text, true);

-- preflight_nobody --
-- No tenant, for the rest of the transaction.
SELECT set_config('app.tenant_id', '', true);

-- preflight_without_policies --
-- Where policies apply, a statement that would need them is refused from now on; it is never answered without them.
SET LOCAL row_security = off;

-- preflight_open_builds --
-- The build tables that the loader may insert into now. One that is being sealed is locked, and takes nothing more.
SELECT b.entity, b.table_name
FROM seed_control.build_table AS b
JOIN pg_class AS c ON c.relname = b.table_name AND c.relnamespace = 'seed_build'::regnamespace
WHERE has_table_privilege(c.oid, 'INSERT')
    AND NOT EXISTS (
        SELECT FROM pg_locks AS l
        WHERE l.locktype = 'relation' AND l.relation = c.oid AND l.mode = 'AccessExclusiveLock' AND l.granted
            AND l.pid <> pg_backend_pid()
    )
ORDER BY b.table_name;
