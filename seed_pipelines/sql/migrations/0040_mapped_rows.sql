-- A seed run may fill tables of an application instead of those of `app`. Its mapping says which and how; the ledger
-- says which rows are ours. The loader moves the rows itself: the owner has no right on an application's tables.
CREATE TABLE seed_control.run_mapping (
    seed_run_id uuid PRIMARY KEY REFERENCES seed_control.seed_run,
    mapping_hash text NOT NULL CHECK (mapping_hash ~ '^[0-9a-f]{64}$'),
    mapping jsonb NOT NULL,
    -- The mapped entities, parents first.
    entities text[] NOT NULL,
    -- What tells the application's policies which tenant it is.
    tenant_setting text NOT NULL CHECK (tenant_setting LIKE '%.%'),
    tenant_value text NOT NULL CHECK (tenant_value <> '')
);

-- What a seed run was published with does not change.
CREATE FUNCTION seed_control.keep_mapping() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM seed_control.seed_run WHERE id = OLD.seed_run_id AND finished_at IS NOT NULL) THEN
        RAISE EXCEPTION 'seed run % has ended', OLD.seed_run_id USING ERRCODE = 'SP001';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER run_mapping_kept BEFORE UPDATE ON seed_control.run_mapping
    FOR EACH ROW EXECUTE FUNCTION seed_control.keep_mapping();

-- One line for each row of a dataset that lies in an application's table, by the row's key there.
CREATE TABLE seed_control.mapped_row (
    tenant_id uuid NOT NULL,
    seed_run_id uuid NOT NULL REFERENCES seed_control.run_mapping,
    entity text NOT NULL,
    row_id bigint NOT NULL,
    target_key text NOT NULL,
    -- False while a key is only drawn: another row may turn out to have it.
    is_stored boolean NOT NULL DEFAULT false,
    PRIMARY KEY (seed_run_id, entity, row_id),
    UNIQUE (seed_run_id, entity, target_key)
);
ALTER TABLE seed_control.mapped_row ENABLE ROW LEVEL SECURITY;
ALTER TABLE seed_control.mapped_row FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant_rows ON seed_control.mapped_row USING (true);
CREATE POLICY tenant_only ON seed_control.mapped_row AS RESTRICTIVE
    USING (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid)
    WITH CHECK (tenant_id = nullif(current_setting('app.tenant_id', true), '')::uuid);

-- The tables that a mapping names, and the sequences that number their keys; null where there is none. Looked up in the
-- catalogue: names cannot be resolved in a schema that the caller may not use, and that is to be found out.
CREATE FUNCTION seed_control.mapping_tables(mapping jsonb)
    RETURNS TABLE (entity text, target regclass, sequence regclass, rule jsonb)
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT e.key, c.oid::regclass, (
            SELECT s.oid::regclass
            FROM pg_attribute AS a
            JOIN pg_depend AS d ON d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass
                AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum AND d.deptype IN ('a', 'i')
            JOIN pg_class AS s ON s.oid = d.objid AND s.relkind = 'S'
            WHERE a.attrelid = c.oid AND a.attname = e.value -> 'key' ->> 'column'
        ), e.value
    FROM jsonb_each(mapping -> 'entities') AS e
    LEFT JOIN pg_namespace AS n ON n.nspname = mapping ->> 'schema'
    LEFT JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = e.value ->> 'table'
        AND c.relkind NOT IN ('i', 'I', 'S', 't', 'c')
$$;

-- The expression that the tenant policies of a mapping's tables have, as pg_get_expr gives it back.
CREATE FUNCTION seed_control.mapping_policy(mapping jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format(CASE p.type WHEN 'text' THEN '(%I = NULLIF(current_setting(%L::text, true), ''''::text))'
        ELSE '(%I = (NULLIF(current_setting(%L::text, true), ''''::text))::%s)' END, p.name, p.setting, p.type)
    FROM (
        SELECT mapping -> 'tenant' ->> 'column' AS name, mapping -> 'tenant' ->> 'setting' AS setting,
            mapping -> 'tenant' ->> 'type' AS type
    ) AS p
$$;

-- The tables of a seed run's mapping, parents first, with what is needed to find our rows in them.
CREATE FUNCTION seed_control.mapped_tables(run uuid)
    RETURNS TABLE (place integer, entity text, target regclass, key_column text, key_type text, later text[])
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT array_position(m.entities, t.entity), t.entity, t.target, a.attname::text, format_type(a.atttypid, NULL),
        ARRAY(SELECT c.key FROM jsonb_each(t.rule -> 'columns') AS c WHERE c.value ? 'first_of')
    FROM seed_control.run_mapping AS m
    CROSS JOIN LATERAL seed_control.mapping_tables(m.mapping) AS t
    JOIN pg_attribute AS a ON a.attrelid = t.target AND a.attname = t.rule -> 'key' ->> 'column' AND NOT a.attisdropped
    WHERE m.seed_run_id = run
$$;

-- A key that follows from the row, in the form of a UUID of version 8.
CREATE FUNCTION seed_control.mapped_uuid(tenant_id uuid, entity text, row_id bigint) RETURNS uuid
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT encode(set_byte(set_byte(h, 6, get_byte(h, 6) & 15 | 128), 8, get_byte(h, 8) & 63 | 128), 'hex')::uuid
    FROM (
        SELECT substring(sha256(convert_to(format('%s:%s:%s', tenant_id, entity, row_id), 'UTF8')) FROM 1 FOR 16) AS h
    ) AS hashed
$$;

-- Rows that the application made and that refer to rows of a published dataset which would go away, 20 of a key at most.
-- A row comes back where the new seed run has its key in the same table; a reference to it may stay if its check can
-- wait until then. Tables that the caller may not read are left to the engine, which refuses to take the rows away.
CREATE FUNCTION seed_control.mapped_references(old_run uuid, new_run uuid) RETURNS jsonb
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    reference record;
    ids text;
    found_references jsonb := '[]';
BEGIN
    FOR reference IN
        SELECT DISTINCT t.entity, t.target, k.conrelid::regclass AS child, a.attname AS column_name, t.key_type,
            k.condeferrable AND k.confdeltype = 'a' AS may_return, (
                SELECT min(o.key_column) FROM seed_control.mapped_tables(old_run) AS o WHERE o.target = k.conrelid
            ) AS child_key, ARRAY(
                SELECT o.entity FROM seed_control.mapped_tables(old_run) AS o WHERE o.target = k.conrelid
            ) AS child_entities, EXISTS (
                SELECT FROM seed_control.mapped_tables(new_run) AS n WHERE n.entity = t.entity AND n.target = t.target
            ) AS has_table
        FROM seed_control.mapped_tables(old_run) AS t
        JOIN pg_attribute AS key ON key.attrelid = t.target AND key.attname = t.key_column
        JOIN pg_constraint AS k ON k.confrelid = t.target AND k.contype = 'f' AND k.conparentid = 0
            AND key.attnum = ANY (k.confkey)
        JOIN pg_attribute AS a ON a.attrelid = k.conrelid
            AND a.attnum = k.conkey[array_position(k.confkey, key.attnum)]
        WHERE has_table_privilege(k.conrelid, 'SELECT')
    LOOP
        EXECUTE format(
            'SELECT string_agg(d.id, '', '') FROM ('
            'SELECT coalesce(to_jsonb(c) ->> %L, ''one without id'') AS id FROM %s AS c '
            'JOIN seed_control.mapped_row AS o ON o.seed_run_id = $1 AND o.entity = $3 AND c.%I = o.target_key::%s '
            'WHERE NOT EXISTS (SELECT FROM seed_control.mapped_row AS m WHERE m.seed_run_id = $1 '
            'AND m.entity = ANY ($4) AND m.target_key = to_jsonb(c) ->> %L) '
            'AND NOT ($5 AND EXISTS (SELECT FROM seed_control.mapped_row AS n WHERE n.seed_run_id = $2 '
            'AND n.entity = $3 AND n.target_key = o.target_key)) LIMIT 20) AS d',
            coalesce(reference.child_key, 'id'), reference.child, reference.column_name, reference.key_type,
            coalesce(reference.child_key, 'id'))
            INTO ids USING old_run, new_run, reference.entity, reference.child_entities,
                reference.may_return AND reference.has_table;
        IF ids IS NOT NULL THEN
            found_references := found_references || jsonb_build_object(
                'table', reference.child::text, 'parent', reference.entity, 'ids', ids);
        END IF;
    END LOOP;
    RETURN found_references;
END
$$;

-- Takes the rows of a dataset out of the application's tables, and out of the ledger. Back come rows by entity.
CREATE FUNCTION seed_control.take_mapped_rows(run uuid) RETURNS jsonb
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    mapped record;
    later_column text;
    taken bigint;
    gone jsonb := '{}';
BEGIN
    FOR mapped IN SELECT * FROM seed_control.mapped_tables(run) LOOP
        FOREACH later_column IN ARRAY mapped.later LOOP
            EXECUTE format(
                'UPDATE %s AS c SET %I = NULL FROM seed_control.mapped_row AS o '
                'WHERE o.seed_run_id = $1 AND o.entity = $2 AND c.%I = o.target_key::%s AND c.%I IS NOT NULL',
                mapped.target, later_column, mapped.key_column, mapped.key_type, later_column)
                USING run, mapped.entity;
        END LOOP;
    END LOOP;
    FOR mapped IN SELECT * FROM seed_control.mapped_tables(run) ORDER BY place DESC LOOP
        EXECUTE format(
            'DELETE FROM %s AS c USING seed_control.mapped_row AS o '
            'WHERE o.seed_run_id = $1 AND o.entity = $2 AND c.%I = o.target_key::%s',
            mapped.target, mapped.key_column, mapped.key_type) USING run, mapped.entity;
        GET DIAGNOSTICS taken = ROW_COUNT;
        gone := gone || jsonb_build_object(mapped.entity, taken);
    END LOOP;
    DELETE FROM seed_control.mapped_row WHERE seed_run_id = run;
    RETURN gone;
END
$$;

-- A dataset does not go, and is not replaced, while the ledger says that rows of it are still in somebody's tables.
CREATE FUNCTION seed_control.assert_rows_taken() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM set_config('app.tenant_id', (
        SELECT tenant_id::text FROM seed_control.seed_run WHERE id = OLD.seed_run_id
    ), true);
    IF EXISTS (SELECT FROM seed_control.mapped_row WHERE seed_run_id = OLD.seed_run_id) THEN
        RAISE EXCEPTION 'rows of seed run % are still in the tables of an application', OLD.seed_run_id
            USING ERRCODE = 'SP001';
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER dataset_rows_taken BEFORE DELETE OR UPDATE OF seed_run_id ON seed_control.dataset
    FOR EACH ROW EXECUTE FUNCTION seed_control.assert_rows_taken();

-- Ends a purge of rows that the loader has taken away itself, in the caller's transaction. A null: there is no such
-- dataset, or it was to be purged as expired and has not expired.
CREATE FUNCTION seed_control.purge_mapped(
    owner_environment text, owner_tenant text, dataset_mode text, why text, gone jsonb
) RETURNS jsonb LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    new_fence bigint := seed_control.fence_off(owner_environment, owner_tenant);
    old seed_control.dataset;
BEGIN
    DELETE FROM seed_control.dataset
    WHERE environment = owner_environment AND tenant = owner_tenant AND mode = dataset_mode
        AND (why <> 'expired' OR expires_at < clock_timestamp())
        AND seed_run_id IN (SELECT seed_run_id FROM seed_control.run_mapping)
    RETURNING * INTO old;
    IF old.seed_run_id IS NULL THEN
        RETURN NULL;
    END IF;
    INSERT INTO seed_control.purge_log (environment, tenant, mode, generation, seed_run_id, dataset_hash, reason,
        fence, rows)
    VALUES (old.environment, old.tenant, old.mode, old.generation, old.seed_run_id, old.dataset_hash, why, new_fence,
        gone);
    RETURN gone;
END
$$;

GRANT SELECT ON seed_control.run_mapping, seed_control.mapped_row TO seed_loader, seed_auditor;
GRANT INSERT, UPDATE (mapping_hash, mapping, entities, tenant_setting, tenant_value) ON seed_control.run_mapping
    TO seed_loader;
GRANT INSERT, DELETE, UPDATE (target_key, is_stored) ON seed_control.mapped_row TO seed_loader;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA seed_control FROM PUBLIC;
GRANT EXECUTE ON FUNCTION seed_control.mapping_tables(jsonb), seed_control.mapping_policy(jsonb),
    seed_control.mapped_tables(uuid),
    seed_control.mapped_uuid(uuid, text, bigint), seed_control.mapped_references(uuid, uuid),
    seed_control.take_mapped_rows(uuid), seed_control.purge_mapped(text, text, text, text, jsonb) TO seed_loader;
