-- Sealing and publishing work through whole tables, so what they ask for each row decides how long they take.

-- Row-level security, forced on the owner too or not. Not forced only inside a publication, between its locks and its
-- end: nobody else sees the tables then, and what would be asked of every row is the tenant that its CHECK names.
CREATE FUNCTION seed_control.force_policies(entities text[], is_forced boolean) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    entity_name text;
BEGIN
    FOREACH entity_name IN ARRAY entities LOOP
        EXECUTE format('ALTER TABLE app.%I %s ROW LEVEL SECURITY', entity_name,
            CASE WHEN is_forced THEN 'FORCE' ELSE 'NO FORCE' END);
    END LOOP;
END
$$;
REVOKE EXECUTE ON FUNCTION seed_control.force_policies(text[], boolean) FROM PUBLIC;

-- Statistics of a build, but for columns of bytes: messages and digests have none that a plan could use.
CREATE FUNCTION seed_control.analyze_build(build_name text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    columns text;
BEGIN
    SELECT string_agg(format('%I', attname), ', ' ORDER BY attnum) INTO columns
    FROM pg_attribute
    WHERE attrelid = format('seed_build.%I', build_name)::regclass AND attnum > 0 AND NOT attisdropped
        AND atttypid <> 'bytea'::regtype;
    EXECUTE format('ANALYZE seed_build.%I (%s)', build_name, columns);
END
$$;
REVOKE EXECUTE ON FUNCTION seed_control.analyze_build(text) FROM PUBLIC;

-- As before, with statistics where they help.
CREATE OR REPLACE FUNCTION seed_control.seal(run uuid, run_fence bigint, entity_name text) RETURNS boolean
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
    PERFORM seed_control.analyze_build(build.table_name);
    UPDATE seed_control.build_table SET sealed_at = clock_timestamp()
    WHERE seed_run_id = run AND entity = entity_name;
    RETURN true;
END
$$;

-- As before; the engine checks the foreign keys without asking the policies for every row.
CREATE OR REPLACE FUNCTION seed_control.attach_leaf(
    run seed_control.seed_run, entity_name text, build_name text
) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    reference text;
BEGIN
    EXECUTE format('ALTER TABLE seed_build.%I NO FORCE ROW LEVEL SECURITY', build_name);
    FOR reference IN
        SELECT pg_get_constraintdef(oid) FROM pg_constraint
        WHERE conrelid = format('app.%I', entity_name)::regclass AND contype = 'f' AND conparentid = 0
            AND confrelid <> conrelid
    LOOP
        EXECUTE format('ALTER TABLE seed_build.%I ADD %s', build_name, reference);
    END LOOP;
    EXECUTE format('ALTER TABLE seed_build.%I FORCE ROW LEVEL SECURITY', build_name);
    EXECUTE format('ALTER TABLE seed_build.%I RESET (autovacuum_enabled)', build_name);
    EXECUTE format('ALTER TABLE seed_build.%I SET SCHEMA app', build_name);
    EXECUTE format('ALTER TABLE app.%I ATTACH PARTITION app.%I FOR VALUES IN (%L)',
        entity_name, build_name, run.tenant_id);
END
$$;

CREATE OR REPLACE FUNCTION seed_control.publish_attach(run uuid, run_fence bigint, hash text, ttl interval)
    RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    -- The checks of foreign keys are joins of whole tables, which hash in this memory and gain nothing by compilation.
    SET maintenance_work_mem = '256MB' SET jit = off AS $$
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
    PERFORM seed_control.force_policies(moving, false);
    FOREACH entity_name IN ARRAY moving LOOP
        PERFORM seed_control.assert_no_dangling(
            owner_run, entity_name, format('seed_build.%I', entity_name || suffix)::regclass);
        PERFORM seed_control.attach_leaf(owner_run, entity_name, entity_name || suffix);
    END LOOP;
    PERFORM seed_control.force_policies(moving, true);
    DELETE FROM seed_control.build_table WHERE seed_run_id = run;
    RETURN seed_control.record_publication(owner_run, hash, ttl);
END
$$;
