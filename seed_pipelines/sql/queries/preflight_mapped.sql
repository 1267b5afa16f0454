-- mapped_tree --
-- The tables of a mapping that are there, and the sequences that the loader draws their keys from.
SELECT t.target::oid::bigint AS id, CASE t.rule -> 'key' ->> 'from' WHEN 'sequence' THEN t.sequence::oid::bigint END
    AS sequence
FROM seed_control.mapping_tables(%(mapping)s::jsonb) AS t
WHERE t.target IS NOT NULL;

-- mapped_policy_text --
-- How the tenant policy of the mapping's tables reads.
SELECT seed_control.mapping_policy(%(mapping)s::jsonb) AS policy;

-- mapped_tables --
-- Ordinary tables of their own: what is a partition, or inherits, can be reached past its policies.
SELECT (%(mapping)s::jsonb ->> 'schema') || '.' || (t.rule ->> 'table') || ': ' || CASE
        WHEN c.oid IS NULL THEN 'is missing'
        WHEN c.relkind <> 'r' THEN 'is not an ordinary table'
        ELSE 'is a partition, or inherits'
    END AS finding
FROM seed_control.mapping_tables(%(mapping)s::jsonb) AS t
LEFT JOIN pg_class AS c ON c.oid = t.target
WHERE c.oid IS NULL OR c.relkind <> 'r'
    OR EXISTS (SELECT FROM pg_inherits AS i WHERE i.inhrelid = c.oid OR i.inhparent = c.oid)
ORDER BY finding;

-- mapped_policy --
-- Either the restrictive policy and the permissive one that it restricts, or the policy alone; nothing else.
SELECT t.target::text || ': not the tenant policy, word for word, and no other' AS finding
FROM seed_control.mapping_tables(%(mapping)s::jsonb) AS t
CROSS JOIN seed_control.mapping_policy(%(mapping)s::jsonb) AS w (policy)
CROSS JOIN LATERAL (
    SELECT count(*) AS policies, count(*) FILTER (WHERE p.is_tenant AND NOT p.polpermissive) AS restrictive,
        count(*) FILTER (WHERE p.is_tenant AND p.polpermissive) AS alone,
        count(*) FILTER (WHERE p.is_open) AS permissive
    FROM (
        SELECT p.polpermissive, p.polcmd = '*' AND p.polroles = '{0}'
                AND pg_get_expr(p.polqual, p.polrelid) = w.policy
                AND coalesce(pg_get_expr(p.polwithcheck, p.polrelid), w.policy)
                    = w.policy AS is_tenant,
            p.polcmd = '*' AND p.polroles = '{0}' AND p.polpermissive AND p.polwithcheck IS NULL
                AND pg_get_expr(p.polqual, p.polrelid) = 'true' AS is_open
        FROM pg_policy AS p
        WHERE p.polrelid = t.target
    ) AS p
) AS found
WHERE t.target IS NOT NULL AND NOT (
    (found.policies, found.restrictive, found.permissive) = (2, 1, 1) OR (found.policies, found.alone) = (1, 1)
)
ORDER BY finding;

-- mapped_rights --
-- What the loader needs: no more is granted by `seed-data mapping grants`.
SELECT 'schema ' || quote_ident(n.nspname) || ': no USAGE' AS finding
FROM pg_namespace AS n
WHERE n.nspname = %(mapping)s::jsonb ->> 'schema' AND NOT has_schema_privilege(n.oid, 'USAGE')
UNION ALL
SELECT t.target::text || ': no ' || r.name
FROM seed_control.mapping_tables(%(mapping)s::jsonb) AS t
CROSS JOIN LATERAL (VALUES ('SELECT', true), ('INSERT', true), ('DELETE', true), ('UPDATE', EXISTS (
    SELECT FROM jsonb_each(t.rule -> 'columns') AS c WHERE c.value ? 'first_of'
))) AS r (name, is_needed)
WHERE t.target IS NOT NULL AND r.is_needed
    AND NOT (has_table_privilege(t.target, r.name) OR r.name IN ('INSERT', 'UPDATE') AND NOT EXISTS (
        SELECT FROM jsonb_object_keys(t.rule -> 'columns') AS c (name)
        WHERE (r.name = 'INSERT' OR t.rule -> 'columns' -> c.name ? 'first_of')
            AND EXISTS (SELECT FROM pg_attribute AS a WHERE a.attrelid = t.target AND a.attname = c.name)
            AND NOT has_column_privilege(t.target, c.name, r.name)
    ))
UNION ALL
SELECT t.sequence::text || ': no USAGE'
FROM seed_control.mapping_tables(%(mapping)s::jsonb) AS t
WHERE t.rule -> 'key' ->> 'from' = 'sequence' AND NOT has_sequence_privilege(t.sequence, 'USAGE')
ORDER BY finding;

-- mapped_columns --
-- Every column that is written is there and can be written, and every one that has to be is written.
WITH given AS (
    SELECT t.target, c.key AS name, c.value AS rule, t.entity || '.' || c.key AS place, false AS is_key
    FROM seed_control.mapping_tables(%(mapping)s::jsonb) AS t
    CROSS JOIN LATERAL jsonb_each(t.rule -> 'columns') AS c
    UNION ALL
    SELECT t.target, t.rule -> 'key' ->> 'column', '{}', NULL, true
    FROM seed_control.mapping_tables(%(mapping)s::jsonb) AS t
    UNION ALL
    SELECT t.target, %(mapping)s::jsonb -> 'tenant' ->> 'column', '{}', NULL, false
    FROM seed_control.mapping_tables(%(mapping)s::jsonb) AS t
)
SELECT g.target::text || '.' || quote_ident(g.name) || ': ' || f.what AS finding
FROM given AS g
LEFT JOIN pg_attribute AS a ON a.attrelid = g.target AND a.attname = g.name AND a.attnum > 0 AND NOT a.attisdropped
CROSS JOIN LATERAL (VALUES
    (a.attnum IS NULL, 'is missing'),
    (a.attgenerated <> '', 'is generated: nobody writes it'),
    (a.attidentity <> '' AND NOT g.is_key, 'is an identity column and not the key'),
    (a.attnotnull AND g.place = ANY (%(nullable)s::text[]), 'is NOT NULL, and the mapping may give a null'),
    -- A name in a schema that the loader may not use cannot be looked up.
    (g.rule ? 'cast' AND a.atttypid::regtype IS DISTINCT FROM CASE
        WHEN g.rule ->> 'cast' NOT LIKE '%%.%%' OR EXISTS (
            SELECT FROM pg_namespace AS n
            WHERE n.nspname = split_part(g.rule ->> 'cast', '.', 1) AND has_schema_privilege(n.oid, 'USAGE')
        ) THEN to_regtype(g.rule ->> 'cast') END, 'is not of the type of its cast'),
    (g.rule ? 'cast' AND EXISTS (SELECT FROM pg_type AS y WHERE y.oid = a.atttypid AND y.typcategory = 'S'),
        'is text: a cast would cut it in silence')
) AS f (is_so, what)
WHERE g.target IS NOT NULL AND f.is_so
UNION
SELECT t.target::text || '.' || quote_ident(a.attname) || ': is NOT NULL without a default, and not mapped'
FROM seed_control.mapping_tables(%(mapping)s::jsonb) AS t
JOIN pg_attribute AS a ON a.attrelid = t.target AND a.attnum > 0 AND NOT a.attisdropped
WHERE a.attnotnull AND NOT a.atthasdef AND a.attidentity = ''
    AND NOT EXISTS (
        SELECT FROM seed_control.mapping_tables(%(mapping)s::jsonb) AS o
        WHERE o.entity = t.entity AND (o.rule -> 'columns' ? a.attname OR o.rule -> 'key' ->> 'column' = a.attname)
    )
    AND a.attname <> %(mapping)s::jsonb -> 'tenant' ->> 'column'
ORDER BY finding;

-- mapped_unique_indexes --
-- Whatever may turn a row of ours away, or tell one tenant what another has.
SELECT t.entity, t.target::text AS name, c.relname::text AS index, x.indexprs IS NOT NULL OR x.indisexclusion AS is_opaque,
    ARRAY(
        SELECT a.attname::text FROM unnest((x.indkey::int2[])[0:x.indnkeyatts - 1]) AS n (number)
        JOIN pg_attribute AS a ON a.attrelid = x.indrelid AND a.attnum = n.number
    ) AS columns
FROM seed_control.mapping_tables(%(mapping)s::jsonb) AS t
JOIN pg_index AS x ON x.indrelid = t.target AND (x.indisunique OR x.indisexclusion)
JOIN pg_class AS c ON c.oid = x.indexrelid
ORDER BY t.entity, c.relname;

-- mapped_foreign_keys --
-- References of ours lead to the table that the mapping says; nobody's rows go with ours unseen.
SELECT t.target::text || ': foreign key ' || quote_ident(k.conname) || ' does not lead to the key of '
    || r.parent AS finding
FROM seed_control.mapping_tables(%(mapping)s::jsonb) AS t
CROSS JOIN LATERAL (
    SELECT p.key AS place, p.value ->> 'column' AS column_name, p.value ->> 'parent' AS parent
    FROM jsonb_each(%(parents)s::jsonb) AS p
    WHERE split_part(p.key, '.', 1) = t.entity
) AS r
JOIN pg_attribute AS a ON a.attrelid = t.target AND a.attname = r.column_name
JOIN pg_constraint AS k ON k.conrelid = t.target AND k.contype = 'f' AND a.attnum = ANY (k.conkey)
WHERE NOT EXISTS (
    SELECT FROM seed_control.mapping_tables(%(mapping)s::jsonb) AS p
    JOIN pg_attribute AS there ON there.attrelid = p.target AND there.attname = p.rule -> 'key' ->> 'column'
    WHERE p.entity = r.parent AND k.confrelid = p.target
        AND k.confkey[array_position(k.conkey, a.attnum)] = there.attnum
)
UNION
SELECT k.conrelid::regclass::text || ': foreign key ' || quote_ident(k.conname) || ' would change rows that '
    || quote_ident(current_user) || ' may not see'
FROM seed_control.mapping_tables(%(mapping)s::jsonb) AS t
JOIN pg_constraint AS k ON k.confrelid = t.target AND k.contype = 'f' AND k.confdeltype IN ('c', 'n', 'd')
WHERE NOT has_table_privilege(k.conrelid, 'SELECT')
ORDER BY finding;

-- mapped_triggers --
-- Those that nobody has looked at, and constraints whose triggers are off.
SELECT t.target::text
    || CASE WHEN g.tgisinternal THEN ': a constraint is switched off' ELSE ': trigger ' || quote_ident(g.tgname) END
    AS finding
FROM seed_control.mapping_tables(%(mapping)s::jsonb) AS t
JOIN pg_trigger AS g ON g.tgrelid = t.target
WHERE CASE WHEN g.tgisinternal THEN g.tgenabled <> 'O'
    ELSE NOT coalesce(t.rule -> 'accepts' -> 'triggers' ? g.tgname::text, false) END
ORDER BY finding;

-- mapped_sequences --
-- Keys come from a sequence that only goes on, or from a range of ours that no sequence has reached.
SELECT t.target::text || ': ' || f.what AS finding
FROM seed_control.mapping_tables(%(mapping)s::jsonb) AS t
JOIN pg_attribute AS a ON a.attrelid = t.target AND a.attname = t.rule -> 'key' ->> 'column'
LEFT JOIN pg_sequence AS s ON s.seqrelid = t.sequence
CROSS JOIN LATERAL (VALUES
    (t.rule -> 'key' ->> 'from' = 'sequence' AND t.sequence IS NULL, 'its key has no sequence'),
    (t.rule -> 'key' ->> 'from' = 'sequence' AND (s.seqcycle OR s.seqincrement < 1), 'its sequence goes back'),
    (t.rule -> 'key' ->> 'from' = 'own' AND a.atttypid <> 'bigint'::regtype, 'its key is too small for ids of ours'),
    (t.rule -> 'key' ->> 'from' = 'uuid' AND a.atttypid <> 'uuid'::regtype, 'its key is not a uuid'),
    (t.rule -> 'key' ->> 'from' = 'own' AND CASE WHEN has_sequence_privilege(t.sequence, 'USAGE, SELECT')
        THEN pg_sequence_last_value(t.sequence) >= %(first_own_id)s::bigint END, 'its sequence is among ids of ours'),
    (has_sequence_privilege(t.sequence, 'UPDATE'), quote_ident(current_user) || ' can set its sequence back')
) AS f (is_so, what)
WHERE f.is_so
ORDER BY finding;

-- mapped_again --
-- The part that a batch can afford: row-level security and policy of the application's tables.
SELECT CASE WHEN c.oid IS NULL OR c.relkind <> 'r' THEN 'mapped-tables: ' ELSE 'mapped-policy: ' END
    || (%(mapping)s::jsonb ->> 'schema') || '.' || (t.rule ->> 'table') AS finding
FROM seed_control.mapping_tables(%(mapping)s::jsonb) AS t
CROSS JOIN seed_control.mapping_policy(%(mapping)s::jsonb) AS w (policy)
LEFT JOIN pg_class AS c ON c.oid = t.target
LEFT JOIN LATERAL (
    SELECT count(*) AS policies, count(*) FILTER (
            WHERE p.polcmd = '*' AND p.polroles = '{0}'
                AND pg_get_expr(p.polqual, p.polrelid) = w.policy
                AND coalesce(pg_get_expr(p.polwithcheck, p.polrelid), w.policy)
                    = w.policy
        ) AS of_tenant, count(*) FILTER (WHERE NOT p.polpermissive) AS restrictive
    FROM pg_policy AS p
    WHERE p.polrelid = c.oid
) AS found ON true
WHERE c.oid IS NULL OR c.relkind <> 'r' OR NOT (c.relrowsecurity AND c.relforcerowsecurity)
    OR NOT row_security_active(c.oid) OR found.of_tenant <> 1 OR found.policies - found.restrictive <> 1;
