-- Autovacuum comes to a leaf soon after its publication, and stays for long at a large one. Whoever waits for its lock
-- as long as the server's deadlock timeout sends it away, and a publication does not wait so long, for readers' sake.
-- This lock is in no reader's or writer's way. Who is not autovacuum stays, and the publication will find out.
CREATE FUNCTION seed_control.send_vacuums_away(run uuid, run_fence bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '3s' AS $$
DECLARE
    owner_run seed_control.seed_run;
    entity_name text;
    place regclass;
BEGIN
    PERFORM seed_control.assert_lease(run, run_fence);
    owner_run := seed_control.running(run);
    FOREACH entity_name IN ARRAY seed_control.entities() LOOP
        FOREACH place IN ARRAY array_remove(ARRAY[
            seed_control.leaf_of(entity_name, owner_run.tenant_id), format('app.%I', entity_name || '_default')::regclass
        ], NULL)
        LOOP
            BEGIN
                EXECUTE format('LOCK TABLE ONLY %s IN SHARE UPDATE EXCLUSIVE MODE', place);
            EXCEPTION WHEN lock_not_available THEN
                NULL;
            END;
        END LOOP;
    END LOOP;
END
$$;
REVOKE EXECUTE ON FUNCTION seed_control.send_vacuums_away(uuid, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION seed_control.send_vacuums_away(uuid, bigint) TO seed_loader;
