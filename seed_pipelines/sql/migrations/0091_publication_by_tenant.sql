-- A publication costs what its own tenant's rows cost, however many rows the other tenants have.

-- Names the rows that stay by two ranges, which the key's index finds: `NOT BETWEEN` reads every row there is.
CREATE OR REPLACE FUNCTION seed_control.carry_over(run seed_control.seed_run, entity_name text, build_name text)
    RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    source regclass;
BEGIN
    FOREACH source IN ARRAY array_remove(ARRAY[
        seed_control.leaf_of(entity_name, run.tenant_id), format('app.%I', entity_name || '_default')::regclass
    ], NULL)
    LOOP
        EXECUTE format(
            'INSERT INTO seed_build.%I SELECT * FROM ONLY %s WHERE tenant_id = $1 AND (id < $2 OR id > $3)',
            build_name, source) USING run.tenant_id, run.first_id, run.last_id;
    END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION seed_control.assert_no_dangling(
    run seed_control.seed_run, entity_name text, child regclass
) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
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
            'SELECT c.id FROM %s AS c WHERE c.tenant_id = $3 AND (c.id < $1 OR c.id > $2) AND c.%I IS NOT NULL '
            'AND NOT EXISTS (SELECT FROM %s AS p WHERE p.tenant_id = $3 AND p.id = c.%I) '
            'ORDER BY c.id LIMIT 20) AS d', child, reference.column_name, reference.target, reference.column_name)
            INTO dangling USING run.first_id, run.last_id, run.tenant_id;
        IF dangling IS NOT NULL THEN
            RAISE EXCEPTION 'rows of % refer to rows of % that would go away', entity_name, reference.parent
                USING ERRCODE = 'SP004', DETAIL = format('ids: %s', dangling);
        END IF;
    END LOOP;
END
$$;

-- One foreign key, and the engine's check of all its rows.
CREATE FUNCTION seed_control.add_reference(build_name text, reference text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('ALTER TABLE seed_build.%I ADD %s', build_name, reference);
END
$$;

-- The same where the rows are more than those that they refer to, which are hashed. Planned by its costs the many would be sorted, since a
-- table that was attached a moment ago has no statistics above its leaf.
CREATE FUNCTION seed_control.add_reference_to_few(build_name text, reference text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
    SET enable_mergejoin = off SET enable_nestloop = off AS $$
BEGIN
    EXECUTE format('ALTER TABLE seed_build.%I ADD %s', build_name, reference);
END
$$;

-- As before, with two differences. The build's own policies are out of the way of what is asked of each of its rows;
-- those of `app` stay in force, so that the engine looks for parents in this tenant's leaf and in no other.
CREATE OR REPLACE FUNCTION seed_control.attach_leaf(
    run seed_control.seed_run, entity_name text, build_name text
) RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    build regclass := format('seed_build.%I', build_name)::regclass;
    reference record;
BEGIN
    EXECUTE format('ALTER TABLE seed_build.%I NO FORCE ROW LEVEL SECURITY', build_name);
    PERFORM seed_control.assert_no_dangling(run, entity_name, build);
    FOR reference IN
        SELECT pg_get_constraintdef(k.oid) AS definition, few.reltuples < many.reltuples AS is_to_few
        FROM pg_constraint AS k
        JOIN pg_class AS parent ON parent.oid = k.confrelid
        JOIN pg_class AS many ON many.oid = build
        LEFT JOIN pg_class AS few ON few.oid = seed_control.leaf_of(parent.relname, run.tenant_id)
        WHERE k.conrelid = format('app.%I', entity_name)::regclass AND k.contype = 'f' AND k.conparentid = 0
            AND k.confrelid <> k.conrelid
    LOOP
        IF reference.is_to_few THEN
            PERFORM seed_control.add_reference_to_few(build_name, reference.definition);
        ELSE
            PERFORM seed_control.add_reference(build_name, reference.definition);
        END IF;
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
    FOREACH entity_name IN ARRAY moving LOOP
        PERFORM seed_control.attach_leaf(owner_run, entity_name, entity_name || suffix);
    END LOOP;
    DELETE FROM seed_control.build_table WHERE seed_run_id = run;
    RETURN seed_control.record_publication(owner_run, hash, ttl);
END
$$;
REVOKE EXECUTE ON FUNCTION seed_control.add_reference(text, text),
    seed_control.add_reference_to_few(text, text) FROM PUBLIC;
