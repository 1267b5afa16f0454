-- A rehearsal loads and seals like a seed run, in one transaction that cannot be committed.
CREATE TABLE seed_control.rehearsal (
    entity text NOT NULL
);

CREATE FUNCTION seed_control.refuse_commit() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'a rehearsal is rolled back, never committed' USING ERRCODE = 'SP001';
END
$$;
CREATE CONSTRAINT TRIGGER rehearsal_ends AFTER INSERT ON seed_control.rehearsal
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION seed_control.refuse_commit();

-- A build table that is gone with the transaction.
CREATE FUNCTION seed_control.rehearse_build(entity_name text, owner_tenant uuid) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    name text := entity_name || '_' || replace(gen_random_uuid()::text, '-', '');
BEGIN
    IF NOT entity_name = ANY (seed_control.entities()) THEN
        RAISE EXCEPTION 'there is no entity %', entity_name USING ERRCODE = 'SP001';
    END IF;
    INSERT INTO seed_control.rehearsal (entity) VALUES (entity_name);
    PERFORM seed_control.make_build(entity_name, name, owner_tenant);
    EXECUTE format('GRANT INSERT ON seed_build.%I TO seed_loader', name);
    RETURN name;
END
$$;

-- The keys, uniques and row-level security of the entity on a rehearsed build table.
CREATE FUNCTION seed_control.rehearse_seal(entity_name text, build_name text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM seed_control.rehearsal WHERE entity = entity_name)
        OR EXISTS (SELECT FROM seed_control.build_table WHERE table_name = build_name)
    THEN
        RAISE EXCEPTION '% is no rehearsal of %', build_name, entity_name USING ERRCODE = 'SP001';
    END IF;
    PERFORM seed_control.finish_build(entity_name, build_name);
END
$$;

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA seed_control FROM PUBLIC;
GRANT EXECUTE ON FUNCTION seed_control.rehearse_build(text, uuid), seed_control.rehearse_seal(text, text)
    TO seed_loader;
