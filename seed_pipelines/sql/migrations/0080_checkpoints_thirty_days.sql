-- A checkpoint is kept for so long from when it was written, not from when its seed run ended. The purge ends seed runs
-- that stopped and whose checkpoints are older, so that these go, too, once the report has been written.
CREATE OR REPLACE FUNCTION seed_control.purge_checkpoints(kept interval) RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH gone AS (
        DELETE FROM seed_control.checkpoint AS c
        USING seed_control.seed_run AS r, seed_control.report_outbox AS o
        WHERE c.seed_run_id = r.id AND o.seed_run_id = r.id AND o.written_at IS NOT NULL
            AND r.finished_at IS NOT NULL
            AND (c.committed_at < clock_timestamp() - kept OR EXISTS (
                SELECT FROM seed_control.dataset AS d
                WHERE d.environment = r.environment AND d.tenant = r.tenant AND d.mode = r.mode
                    AND d.seed_run_id <> r.id AND d.published_at > r.finished_at
            ))
        RETURNING c.seed_run_id
    )
    SELECT count(*) FROM gone
$$;
