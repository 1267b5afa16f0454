-- Purge: a dataset that has expired, or that nobody wants any more, goes away in one transaction and leaves a line.
CREATE TABLE seed_control.purge_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    environment text NOT NULL,
    tenant text NOT NULL,
    mode text NOT NULL,
    generation integer NOT NULL,
    seed_run_id uuid NOT NULL REFERENCES seed_control.seed_run,
    dataset_hash text NOT NULL,
    reason text NOT NULL CHECK (reason IN ('expired', 'asked')),
    -- The lease's fence from then on.
    fence bigint NOT NULL,
    rows jsonb NOT NULL,
    purged_by text NOT NULL DEFAULT session_user,
    purged_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX purge_log_of ON seed_control.purge_log (environment, tenant, mode);
GRANT SELECT ON seed_control.purge_log TO seed_loader, seed_auditor;

-- A generation only grows, also over a purge.
CREATE OR REPLACE FUNCTION seed_control.record_publication(run seed_control.seed_run, hash text, ttl interval)
    RETURNS integer LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    new_generation integer;
BEGIN
    INSERT INTO seed_control.dataset AS old (environment, tenant, mode, generation, seed_run_id, manifest_hash,
        manifest_version, reference_datetime, dataset_hash, expires_at)
    VALUES (run.environment, run.tenant, run.mode, (
            SELECT coalesce(max(generation), 0) + 1 FROM seed_control.purge_log
            WHERE environment = run.environment AND tenant = run.tenant AND mode = run.mode
        ), run.id, run.manifest_hash, run.manifest_version,
        run.reference_datetime, hash, clock_timestamp() + ttl)
    ON CONFLICT (environment, tenant, mode) DO UPDATE
        SET generation = old.generation + 1, seed_run_id = EXCLUDED.seed_run_id,
            manifest_hash = EXCLUDED.manifest_hash, manifest_version = EXCLUDED.manifest_version,
            reference_datetime = EXCLUDED.reference_datetime, dataset_hash = EXCLUDED.dataset_hash,
            published_at = clock_timestamp(), expires_at = EXCLUDED.expires_at
    RETURNING generation INTO new_generation;
    UPDATE seed_control.seed_run
    SET state = 'published', dataset_hash = hash, finished_at = clock_timestamp(), error_code = NULL,
        error_detail = NULL
    WHERE id = run.id;
    UPDATE seed_control.lease SET lease_until = clock_timestamp() WHERE holder = run.id;
    UPDATE seed_control.env_slot SET holder = NULL, held_until = clock_timestamp() WHERE holder = run.id;
    RETURN new_generation;
END
$$;

-- Keeps every writer of the tenant away until the transaction ends, and makes all fences of before old ones. Refuses
-- while a seed run holds the lease.
CREATE FUNCTION seed_control.fence_off(owner_environment text, owner_tenant text) RETURNS bigint
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    held seed_control.lease;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('seed_data:' || owner_tenant || ':' || owner_environment));
    SELECT * INTO held FROM seed_control.lease
    WHERE environment = owner_environment AND tenant = owner_tenant
    FOR UPDATE;
    IF held.lease_until > clock_timestamp() THEN
        RAISE EXCEPTION 'seed run % holds the lease', held.holder USING ERRCODE = 'SP001';
    END IF;
    UPDATE seed_control.lease SET fence = fence + 1 WHERE environment = owner_environment AND tenant = owner_tenant;
    RETURN coalesce(held.fence + 1, 1);
END
$$;

-- Rows of each entity that belong to the dataset which this seed run published.
CREATE FUNCTION seed_control.dataset_rows(run seed_control.seed_run) RETURNS jsonb
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    entity_name text;
    counted bigint;
    found_rows jsonb := '{}';
BEGIN
    FOREACH entity_name IN ARRAY seed_control.entities() LOOP
        EXECUTE format('SELECT count(*) FROM app.%I WHERE tenant_id = $1 AND id BETWEEN $2 AND $3', entity_name)
            INTO counted USING run.tenant_id, run.first_id, run.last_id;
        found_rows := found_rows || jsonb_build_object(entity_name, counted);
    END LOOP;
    RETURN found_rows;
END
$$;

-- Rows that stay and refer to the dataset, of any table with a foreign key to (tenant_id, id) of an entity; 20 of a
-- key at most. A table that the owner may not read is left to the engine, which refuses to take the rows away.
CREATE FUNCTION seed_control.references_to(run seed_control.seed_run) RETURNS jsonb
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    reference record;
    ids text;
    found_references jsonb := '[]';
BEGIN
    FOR reference IN
        SELECT k.conrelid::regclass AS child, p.relname AS parent, t.attname AS tenant_column, i.attname AS id_column,
            k.conrelid IN (SELECT format('app.%I', e)::regclass FROM unnest(seed_control.entities()) AS e) AS is_entity
        FROM pg_constraint AS k
        JOIN pg_class AS p ON p.oid = k.confrelid AND p.relnamespace = 'app'::regnamespace AND p.relkind = 'p'
        JOIN pg_attribute AS t ON t.attrelid = k.conrelid AND t.attnum = k.conkey[1]
        JOIN pg_attribute AS i ON i.attrelid = k.conrelid AND i.attnum = k.conkey[2]
        WHERE k.contype = 'f' AND k.conparentid = 0 AND has_table_privilege(k.conrelid, 'SELECT')
            AND (SELECT array_agg(a.attname::text ORDER BY n.position)
                FROM unnest(k.confkey) WITH ORDINALITY AS n (number, position)
                JOIN pg_attribute AS a ON a.attrelid = k.confrelid AND a.attnum = n.number) = '{tenant_id,id}'
        ORDER BY k.conrelid::regclass::text, p.relname
    LOOP
        EXECUTE format(
            'SELECT string_agg(coalesce(d.row ->> ''id'', ''one without id''), '', '') FROM ('
            'SELECT to_jsonb(c) AS row FROM %s AS c WHERE c.%I = $1 AND c.%I BETWEEN $2 AND $3 %s LIMIT 20) AS d',
            reference.child, reference.tenant_column, reference.id_column,
            CASE WHEN reference.is_entity THEN 'AND NOT c.id BETWEEN $2 AND $3' ELSE '' END)
            INTO ids USING run.tenant_id, run.first_id, run.last_id;
        IF ids IS NOT NULL THEN
            found_references := found_references || jsonb_build_object(
                'table', reference.child::text, 'parent', reference.parent, 'ids', ids);
        END IF;
    END LOOP;
    RETURN found_references;
END
$$;

-- What a purge would take away, and what forbids it. Takes no lock.
CREATE FUNCTION seed_control.purge_preview(owner_environment text, owner_tenant text, dataset_mode text) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    run seed_control.seed_run;
BEGIN
    SELECT r.* INTO run
    FROM seed_control.dataset AS d
    JOIN seed_control.seed_run AS r ON r.id = d.seed_run_id
    WHERE d.environment = owner_environment AND d.tenant = owner_tenant AND d.mode = dataset_mode;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    PERFORM set_config('app.tenant_id', run.tenant_id::text, true);
    RETURN jsonb_build_object(
        'rows', seed_control.dataset_rows(run), 'references', seed_control.references_to(run));
END
$$;

-- Whether the tenant has rows of the entity that are not the dataset's.
CREATE FUNCTION seed_control.has_other_rows(run seed_control.seed_run, entity_name text) RETURNS boolean
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found_one boolean;
BEGIN
    EXECUTE format('SELECT EXISTS (SELECT FROM app.%I WHERE tenant_id = $1 AND NOT id BETWEEN $2 AND $3)', entity_name)
        INTO found_one USING run.tenant_id, run.first_id, run.last_id;
    RETURN found_one;
END
$$;

-- A tenant with leaves of its own: the leaves go, and what stays moves into new ones, as in a publication. Deleting
-- row by row would look for children in tables that have no index for it.
CREATE FUNCTION seed_control.purge_leaves(run seed_control.seed_run) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    entities text[] := seed_control.entities();
    suffix text := '_' || replace(run.id::text, '-', '');
    staying text[] := '{}';
    entity_name text;
    position integer;
BEGIN
    FOREACH entity_name IN ARRAY entities LOOP
        EXECUTE format('LOCK TABLE app.%I IN ACCESS EXCLUSIVE MODE', entity_name);
        IF seed_control.has_other_rows(run, entity_name) THEN
            staying := staying || entity_name;
            PERFORM seed_control.make_build(entity_name, entity_name || suffix, run.tenant_id);
            PERFORM seed_control.finish_build(entity_name, entity_name || suffix);
            PERFORM seed_control.carry_over(run, entity_name, entity_name || suffix);
        END IF;
    END LOOP;
    FOR position IN REVERSE array_length(entities, 1)..1 LOOP
        PERFORM seed_control.take_away(run, entities[position]);
    END LOOP;
    FOREACH entity_name IN ARRAY staying LOOP
        PERFORM seed_control.attach_leaf(run, entity_name, entity_name || suffix);
    END LOOP;
END
$$;

-- A tenant that lives in the default partitions: few rows, children first.
CREATE FUNCTION seed_control.purge_rows(run seed_control.seed_run) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    entities text[] := seed_control.entities();
    position integer;
BEGIN
    FOR position IN REVERSE array_length(entities, 1)..1 LOOP
        EXECUTE format('DELETE FROM ONLY app.%I WHERE tenant_id = $1 AND id BETWEEN $2 AND $3',
            entities[position] || '_default') USING run.tenant_id, run.first_id, run.last_id;
    END LOOP;
END
$$;

-- Takes a dataset away, in the caller's transaction. Back come its rows by entity; null where there is none, or where
-- it was to be purged as expired and has not expired.
CREATE FUNCTION seed_control.purge(owner_environment text, owner_tenant text, dataset_mode text, why text)
    RETURNS jsonb LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    new_fence bigint := seed_control.fence_off(owner_environment, owner_tenant);
    old seed_control.dataset;
    run seed_control.seed_run;
    found_references jsonb;
    gone jsonb;
BEGIN
    SELECT * INTO old FROM seed_control.dataset
    WHERE environment = owner_environment AND tenant = owner_tenant AND mode = dataset_mode
        AND (why <> 'expired' OR expires_at < clock_timestamp())
    FOR UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    SELECT * INTO run FROM seed_control.seed_run WHERE id = old.seed_run_id;
    PERFORM set_config('app.tenant_id', run.tenant_id::text, true);
    found_references := seed_control.references_to(run);
    IF found_references <> '[]' THEN
        RAISE EXCEPTION 'rows refer to the dataset' USING ERRCODE = 'SP004', DETAIL = found_references::text;
    END IF;
    gone := seed_control.dataset_rows(run);
    IF EXISTS (
        SELECT FROM unnest(seed_control.entities()) AS e WHERE seed_control.leaf_of(e, run.tenant_id) IS NOT NULL
    ) THEN
        PERFORM seed_control.purge_leaves(run);
    ELSE
        PERFORM seed_control.purge_rows(run);
    END IF;
    DELETE FROM seed_control.dataset
    WHERE environment = owner_environment AND tenant = owner_tenant AND mode = dataset_mode;
    INSERT INTO seed_control.purge_log (environment, tenant, mode, generation, seed_run_id, dataset_hash, reason,
        fence, rows)
    VALUES (old.environment, old.tenant, old.mode, old.generation, old.seed_run_id, old.dataset_hash, why, new_fence,
        gone);
    RETURN gone;
END
$$;

-- Checkpoints serve to go on and to report. Those of seed runs that ended and are reported go when the mode was
-- published anew, or after the given time.
CREATE FUNCTION seed_control.purge_checkpoints(kept interval) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH gone AS (
        DELETE FROM seed_control.checkpoint AS c
        USING seed_control.seed_run AS r, seed_control.report_outbox AS o
        WHERE c.seed_run_id = r.id AND o.seed_run_id = r.id AND o.written_at IS NOT NULL
            AND r.finished_at IS NOT NULL
            AND (r.finished_at < clock_timestamp() - kept OR EXISTS (
                SELECT FROM seed_control.dataset AS d
                WHERE d.environment = r.environment AND d.tenant = r.tenant AND d.mode = r.mode
                    AND d.seed_run_id <> r.id AND d.published_at > r.finished_at
            ))
        RETURNING c.seed_run_id
    )
    SELECT count(*) FROM gone
$$;

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA seed_control FROM PUBLIC;
GRANT EXECUTE ON FUNCTION seed_control.purge_preview(text, text, text), seed_control.purge(text, text, text, text),
    seed_control.purge_checkpoints(interval) TO seed_loader;
