-- Build, seal, publish: what the loader may ask of the owner, and nothing more.

-- Gives a tenant table its row-level security and grants. Used by the migrations of the entities.
CREATE FUNCTION seed_control.protect(entity text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('ALTER TABLE app.%I ENABLE ROW LEVEL SECURITY', entity);
    EXECUTE format('ALTER TABLE app.%I FORCE ROW LEVEL SECURITY', entity);
    EXECUTE format('CREATE POLICY tenant_rows ON app.%I USING (true)', entity);
    EXECUTE format(
        'CREATE POLICY tenant_only ON app.%I AS RESTRICTIVE '
        'USING (tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::uuid) '
        'WITH CHECK (tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::uuid)', entity);
END
$$;

-- A table of `app`: partitioned by tenant, protected, and readable through row-level security only.
CREATE FUNCTION seed_control.open_to_readers(entity text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('CREATE TABLE app.%I PARTITION OF app.%I DEFAULT', entity || '_default', entity);
    PERFORM seed_control.protect(entity);
    PERFORM seed_control.protect(entity || '_default');
    EXECUTE format('GRANT SELECT, INSERT, DELETE ON app.%I TO seed_loader', entity);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON app.%I TO seed_application', entity);
    EXECUTE format('GRANT SELECT ON app.%I TO seed_auditor', entity);
END
$$;

-- The seed run; refuses one that is not running. Callers that need it to stay so lock its row first, and the lease
-- before it: whoever takes a lease over ends the seed run of the old one.
CREATE FUNCTION seed_control.running(run uuid) RETURNS seed_control.seed_run
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found_run seed_control.seed_run;
BEGIN
    SELECT * INTO found_run FROM seed_control.seed_run WHERE id = run;
    IF found_run.state IS DISTINCT FROM 'running' THEN
        RAISE EXCEPTION 'seed run % is %, not running', run, coalesce(found_run.state, 'unknown')
            USING ERRCODE = 'SP001';
    END IF;
    RETURN found_run;
END
$$;

-- Refuses a caller whose lease was taken over or ran out; keeps anyone else from taking it until the end.
CREATE FUNCTION seed_control.assert_lease(run uuid, run_fence bigint) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM FROM seed_control.lease
    WHERE holder = run AND fence = run_fence AND lease_until > clock_timestamp()
    FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'seed run % does not hold its lease with fence %', run, run_fence USING ERRCODE = 'SP002';
    END IF;
END
$$;

-- An empty table like `app.<entity>`, for the rows of one tenant alone.
CREATE FUNCTION seed_control.make_build(entity_name text, build_name text, owner_tenant uuid) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format(
        'CREATE TABLE seed_build.%I (LIKE app.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE '
        'INCLUDING COMPRESSION, CHECK (tenant_id = %L::uuid))', build_name, entity_name, owner_tenant);
    -- Autovacuum would come for the new rows just when they are to be published, and it gives way to others only after
    -- the deadlock timeout, which a publication does not wait for.
    EXECUTE format('ALTER TABLE seed_build.%I SET (autovacuum_enabled = false)', build_name);
END
$$;

-- The keys and uniques of `app.<entity>`, and its row-level security.
CREATE FUNCTION seed_control.finish_build(entity_name text, build_name text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    key_definition text;
BEGIN
    FOR key_definition IN
        SELECT pg_get_constraintdef(oid) FROM pg_constraint
        WHERE conrelid = format('app.%I', entity_name)::regclass AND contype IN ('p', 'u')
        ORDER BY contype, conname
    LOOP
        EXECUTE format('ALTER TABLE seed_build.%I ADD %s', build_name, key_definition);
    END LOOP;
    PERFORM seed_control.protect_build(build_name);
END
$$;

-- One build table for each entity of a seed run, made by whichever shard comes first.
CREATE FUNCTION seed_control.open_build(run uuid, run_fence bigint, entity_name text) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    owner_run seed_control.seed_run;
    name text := entity_name || '_' || replace(run::text, '-', '');
BEGIN
    PERFORM seed_control.assert_lease(run, run_fence);
    -- A seed run that ends meanwhile waits, and then drops this table too.
    PERFORM FROM seed_control.seed_run WHERE id = run FOR SHARE;
    owner_run := seed_control.running(run);
    IF NOT owner_run.planned_rows ? entity_name THEN
        RAISE EXCEPTION 'seed run % has no entity %', run, entity_name USING ERRCODE = 'SP001';
    END IF;
    INSERT INTO seed_control.build_table (seed_run_id, entity, table_name) VALUES (run, entity_name, name)
    ON CONFLICT DO NOTHING;
    IF FOUND THEN
        PERFORM seed_control.make_build(entity_name, name, owner_run.tenant_id);
        EXECUTE format('GRANT INSERT ON seed_build.%I TO seed_loader', name);
    END IF;
    RETURN name;
END
$$;

-- Keys, uniques and row-level security, once the checkpoints say that every planned row is in.
-- Returns false while rows are missing. Holds the entity's build and not the seed run: other shards go on meanwhile.
CREATE FUNCTION seed_control.seal(run uuid, run_fence bigint, entity_name text) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET maintenance_work_mem = '256MB'
    -- Rows come in key order: one process builds their index faster than several that merge.
    SET max_parallel_maintenance_workers = 0 AS $$
DECLARE
    owner_run seed_control.seed_run;
    build seed_control.build_table;
BEGIN
    PERFORM seed_control.assert_lease(run, run_fence);
    SELECT * INTO build FROM seed_control.build_table WHERE seed_run_id = run AND entity = entity_name FOR UPDATE;
    owner_run := seed_control.running(run);
    IF build.table_name IS NULL THEN
        RAISE EXCEPTION 'seed run % has no build of %', run, entity_name USING ERRCODE = 'SP001';
    END IF;
    IF build.sealed_at IS NOT NULL THEN
        RETURN true;
    END IF;
    IF (owner_run.planned_rows ->> entity_name)::bigint > (
        SELECT coalesce(sum(rows), 0) FROM seed_control.checkpoint WHERE seed_run_id = run AND entity = entity_name
    ) THEN
        RETURN false;
    END IF;
    EXECUTE format('REVOKE ALL ON seed_build.%I FROM seed_loader', build.table_name);
    PERFORM seed_control.finish_build(entity_name, build.table_name);
    IF owner_run.publisher = 'insert' THEN
        EXECUTE format('GRANT SELECT ON seed_build.%I TO seed_loader', build.table_name);
    END IF;
    EXECUTE format('ANALYZE seed_build.%I', build.table_name);
    UPDATE seed_control.build_table SET sealed_at = clock_timestamp()
    WHERE seed_run_id = run AND entity = entity_name;
    RETURN true;
END
$$;

CREATE FUNCTION seed_control.protect_build(name text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('ALTER TABLE seed_build.%I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('ALTER TABLE seed_build.%I FORCE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY tenant_rows ON seed_build.%I USING (true)', name);
    EXECUTE format(
        'CREATE POLICY tenant_only ON seed_build.%I AS RESTRICTIVE '
        'USING (tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::uuid) '
        'WITH CHECK (tenant_id = nullif(current_setting(''app.tenant_id'', true), '''')::uuid)', name);
END
$$;

-- The partition of `app.<entity>` that holds this tenant alone; null while its rows live in the default one.
CREATE FUNCTION seed_control.leaf_of(entity_name text, owner_tenant uuid) RETURNS regclass
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.oid::regclass
    FROM pg_inherits AS i
    JOIN pg_class AS c ON c.oid = i.inhrelid
    WHERE i.inhparent = format('app.%I', entity_name)::regclass
        AND pg_get_expr(c.relpartbound, c.oid) = format('FOR VALUES IN (%L)', owner_tenant)
$$;

-- Every table of `app`, parents first.
CREATE FUNCTION seed_control.entities() RETURNS text[]
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE placed (id, depth) AS (
        SELECT oid, 0 FROM pg_class WHERE relnamespace = 'app'::regnamespace AND relkind = 'p'
        UNION
        SELECT k.conrelid, p.depth + 1
        FROM placed AS p
        JOIN pg_constraint AS k ON k.confrelid = p.id AND k.conparentid = 0 AND k.conrelid <> k.confrelid
        JOIN pg_class AS c ON c.oid = k.conrelid AND c.relnamespace = 'app'::regnamespace AND c.relkind = 'p'
    ), deepest AS (
        SELECT id, max(depth) AS depth FROM placed GROUP BY id
    )
    SELECT array_agg(c.relname::text ORDER BY d.depth, c.relname)
    FROM deepest AS d
    JOIN pg_class AS c ON c.oid = d.id
$$;

-- A build of what stays, for an entity that the seed run does not plan and the tenant has rows of: they refer to rows
-- of other entities, so they move with them. False where there is nothing to move.
CREATE FUNCTION seed_control.make_unplanned_build(run seed_control.seed_run, entity_name text, build_name text)
    RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    has_rows boolean;
BEGIN
    EXECUTE format('SELECT EXISTS (SELECT FROM app.%I WHERE tenant_id = $1)', entity_name)
        INTO has_rows USING run.tenant_id;
    IF has_rows THEN
        PERFORM seed_control.make_build(entity_name, build_name, run.tenant_id);
        PERFORM seed_control.finish_build(entity_name, build_name);
    END IF;
    RETURN has_rows;
END
$$;

CREATE FUNCTION seed_control.assert_sealed(run uuid) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    missing text;
BEGIN
    SELECT string_agg(entity, ', ') INTO missing
    FROM (
        SELECT jsonb_object_keys(planned_rows) AS entity FROM seed_control.seed_run WHERE id = run
        EXCEPT
        SELECT entity FROM seed_control.build_table WHERE seed_run_id = run AND sealed_at IS NOT NULL
    ) AS unsealed;
    IF missing IS NOT NULL THEN
        RAISE EXCEPTION 'seed run % is not sealed: %', run, missing USING ERRCODE = 'SP003';
    END IF;
END
$$;

-- What every publication begins with: lease and seed run held, everything sealed, the tenant set.
CREATE FUNCTION seed_control.publishing(run uuid, run_fence bigint) RETURNS seed_control.seed_run
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    owner_run seed_control.seed_run;
BEGIN
    PERFORM seed_control.assert_lease(run, run_fence);
    PERFORM FROM seed_control.seed_run WHERE id = run FOR NO KEY UPDATE;
    owner_run := seed_control.running(run);
    PERFORM seed_control.assert_sealed(run);
    PERFORM set_config('app.tenant_id', owner_run.tenant_id::text, true);
    RETURN owner_run;
END
$$;

-- Copies into the build table what stays: rows of other modes, and rows that the application made.
CREATE FUNCTION seed_control.carry_over(run seed_control.seed_run, entity_name text, build_name text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    source regclass;
BEGIN
    FOREACH source IN ARRAY array_remove(ARRAY[
        seed_control.leaf_of(entity_name, run.tenant_id), format('app.%I', entity_name || '_default')::regclass
    ], NULL)
    LOOP
        EXECUTE format(
            'INSERT INTO seed_build.%I SELECT * FROM ONLY %s WHERE tenant_id = $1 AND NOT id BETWEEN $2 AND $3',
            build_name, source) USING run.tenant_id, run.first_id, run.last_id;
    END LOOP;
END
$$;

-- Refuses to take away a row that a row which stays still refers to, and says which. `child` is the table that holds
-- the entity's rows by now.
CREATE FUNCTION seed_control.assert_no_dangling(run seed_control.seed_run, entity_name text, child regclass)
    RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    reference record;
    dangling text;
BEGIN
    FOR reference IN
        SELECT p.relname AS parent, a.attname AS column_name,
            CASE WHEN k.confrelid = k.conrelid THEN child ELSE k.confrelid::regclass END AS target
        FROM pg_constraint AS k
        JOIN pg_class AS p ON p.oid = k.confrelid
        JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[2]
        WHERE k.conrelid = format('app.%I', entity_name)::regclass AND k.contype = 'f' AND k.conparentid = 0
    LOOP
        EXECUTE format(
            'SELECT string_agg(id::text, '', '') FROM ('
            'SELECT c.id FROM %s AS c WHERE c.tenant_id = $3 AND NOT c.id BETWEEN $1 AND $2 AND c.%I IS NOT NULL '
            'AND NOT EXISTS (SELECT FROM %s AS p WHERE p.tenant_id = c.tenant_id AND p.id = c.%I) '
            'ORDER BY c.id LIMIT 20) AS d', child, reference.column_name, reference.target, reference.column_name)
            INTO dangling USING run.first_id, run.last_id, run.tenant_id;
        IF dangling IS NOT NULL THEN
            RAISE EXCEPTION 'rows of % refer to rows of % that would go away', entity_name, reference.parent
                USING ERRCODE = 'SP004', DETAIL = format('ids: %s', dangling);
        END IF;
    END LOOP;
END
$$;

-- Takes the old rows of one entity out of readers' sight: its leaf is dropped, its rows leave the default one.
CREATE FUNCTION seed_control.take_away(run seed_control.seed_run, entity_name text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    leaf regclass := seed_control.leaf_of(entity_name, run.tenant_id);
BEGIN
    IF leaf IS NOT NULL THEN
        -- Rows that refer to rows of their own leaf would keep it from being detached.
        IF EXISTS (SELECT FROM pg_constraint WHERE conrelid = leaf AND confrelid = format('app.%I', entity_name)::regclass)
        THEN
            EXECUTE format('DELETE FROM %s', leaf);
        END IF;
        EXECUTE format('ALTER TABLE app.%I DETACH PARTITION %s', entity_name, leaf);
        EXECUTE format('DROP TABLE %s', leaf);
    END IF;
    EXECUTE format('DELETE FROM ONLY app.%I WHERE tenant_id = $1', entity_name || '_default') USING run.tenant_id;
END
$$;

-- Gives one sealed build table the foreign keys of its entity and makes it the tenant's leaf. What refers to the
-- entity itself can only be checked once its rows are there: attaching does that.
CREATE FUNCTION seed_control.attach_leaf(run seed_control.seed_run, entity_name text, build_name text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    reference text;
BEGIN
    FOR reference IN
        SELECT pg_get_constraintdef(oid) FROM pg_constraint
        WHERE conrelid = format('app.%I', entity_name)::regclass AND contype = 'f' AND conparentid = 0
            AND confrelid <> conrelid
    LOOP
        EXECUTE format('ALTER TABLE seed_build.%I ADD %s', build_name, reference);
    END LOOP;
    EXECUTE format('ALTER TABLE seed_build.%I RESET (autovacuum_enabled)', build_name);
    EXECUTE format('ALTER TABLE seed_build.%I SET SCHEMA app', build_name);
    EXECUTE format('ALTER TABLE app.%I ATTACH PARTITION app.%I FOR VALUES IN (%L)',
        entity_name, build_name, run.tenant_id);
END
$$;

-- Publishes by attaching, in the caller's transaction.
CREATE FUNCTION seed_control.publish_attach(run uuid, run_fence bigint, hash text, ttl interval) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    owner_run seed_control.seed_run := seed_control.publishing(run, run_fence);
    moving text[] := '{}';
    moves boolean;
    suffix text := '_' || replace(run::text, '-', '');
    entity_name text;
    position integer;
BEGIN
    FOREACH entity_name IN ARRAY seed_control.entities() LOOP
        EXECUTE format('LOCK TABLE app.%I IN ACCESS EXCLUSIVE MODE', entity_name);
        moves := CASE WHEN owner_run.planned_rows ? entity_name THEN true
            ELSE seed_control.make_unplanned_build(owner_run, entity_name, entity_name || suffix) END;
        IF moves THEN
            moving := moving || entity_name;
            PERFORM seed_control.carry_over(owner_run, entity_name, entity_name || suffix);
        END IF;
    END LOOP;
    FOR position IN REVERSE array_length(moving, 1)..1 LOOP
        PERFORM seed_control.take_away(owner_run, moving[position]);
    END LOOP;
    FOREACH entity_name IN ARRAY moving LOOP
        PERFORM seed_control.assert_no_dangling(
            owner_run, entity_name, format('seed_build.%I', entity_name || suffix)::regclass);
        PERFORM seed_control.attach_leaf(owner_run, entity_name, entity_name || suffix);
    END LOOP;
    DELETE FROM seed_control.build_table WHERE seed_run_id = run;
    RETURN seed_control.record_publication(owner_run, hash, ttl);
END
$$;

-- Ends a publication by inserting: the loader has moved the rows itself, under row-level security.
CREATE FUNCTION seed_control.publish_inserted(run uuid, run_fence bigint, hash text, ttl interval) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    owner_run seed_control.seed_run := seed_control.publishing(run, run_fence);
    entity_name text;
BEGIN
    FOREACH entity_name IN ARRAY seed_control.entities() LOOP
        PERFORM seed_control.assert_no_dangling(owner_run, entity_name, format('app.%I', entity_name)::regclass);
    END LOOP;
    PERFORM seed_control.drop_build(run);
    RETURN seed_control.record_publication(owner_run, hash, ttl);
END
$$;

CREATE FUNCTION seed_control.record_publication(run seed_control.seed_run, hash text, ttl interval) RETURNS integer
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    new_generation integer;
BEGIN
    INSERT INTO seed_control.dataset AS old (environment, tenant, mode, generation, seed_run_id, manifest_hash,
        manifest_version, reference_datetime, dataset_hash, expires_at)
    VALUES (run.environment, run.tenant, run.mode, 1, run.id, run.manifest_hash, run.manifest_version,
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

CREATE FUNCTION seed_control.drop_build(run uuid) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    name text;
BEGIN
    FOR name IN DELETE FROM seed_control.build_table WHERE seed_run_id = run RETURNING table_name LOOP
        EXECUTE format('DROP TABLE IF EXISTS seed_build.%I', name);
    END LOOP;
END
$$;

-- Drops what a seed run that will not go on has built. Published rows are never touched.
CREATE FUNCTION seed_control.discard_build(run uuid) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- Not FOR UPDATE: a batch in flight refers to the row, and the drop below waits for that batch.
    PERFORM FROM seed_control.seed_run WHERE id = run AND state IN ('cancelled', 'aborted') FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'seed run % may still go on', run USING ERRCODE = 'SP001';
    END IF;
    PERFORM seed_control.drop_build(run);
END
$$;

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA seed_control FROM PUBLIC;
GRANT EXECUTE ON FUNCTION seed_control.open_build(uuid, bigint, text), seed_control.seal(uuid, bigint, text),
    seed_control.publish_attach(uuid, bigint, text, interval),
    seed_control.publish_inserted(uuid, bigint, text, interval), seed_control.discard_build(uuid) TO seed_loader;
