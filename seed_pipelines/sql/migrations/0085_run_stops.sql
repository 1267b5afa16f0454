-- Every stop of a seed run, for good: what failed, paused or ended it is not forgotten when it goes on.
CREATE TABLE seed_control.run_stop (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    seed_run_id uuid NOT NULL REFERENCES seed_control.seed_run,
    -- What a worker that stops asks for; while others are at work the seed run itself goes on.
    state text NOT NULL CHECK (state IN ('failed', 'paused', 'cancelled', 'aborted')),
    code text NOT NULL,
    detail text NOT NULL,
    -- Null where no worker was at a shard, or no batch was being written.
    shard text,
    entity text,
    number integer,
    stopped_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX run_stop_of ON seed_control.run_stop (seed_run_id, id);

CREATE FUNCTION seed_control.keep_stops() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'a stop of a seed run is neither changed nor taken away' USING ERRCODE = 'check_violation';
END
$$;
REVOKE EXECUTE ON FUNCTION seed_control.keep_stops() FROM PUBLIC;
CREATE TRIGGER run_stop_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON seed_control.run_stop
    FOR EACH STATEMENT EXECUTE FUNCTION seed_control.keep_stops();

ALTER TABLE seed_control.run_stop ENABLE ROW LEVEL SECURITY;
CREATE POLICY every_tenant ON seed_control.run_stop TO seed_loader, seed_auditor USING (true) WITH CHECK (true);
CREATE POLICY tenant_only ON seed_control.run_stop FOR SELECT TO seed_api
    USING (EXISTS (SELECT FROM seed_control.seed_run AS r WHERE r.id = seed_run_id));
GRANT SELECT ON seed_control.run_stop TO seed_loader, seed_auditor, seed_api;
-- Not when: that is the database's to say.
GRANT INSERT (seed_run_id, state, code, detail, shard, entity, number) ON seed_control.run_stop TO seed_loader;
