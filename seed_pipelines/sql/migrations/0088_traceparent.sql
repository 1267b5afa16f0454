-- A report names the trace of its seed run: what is no W3C context of version 00 is not kept.

SET lock_timeout = '5s';

ALTER TABLE seed_control.seed_run ADD CONSTRAINT seed_run_traceparent_check
    CHECK (traceparent ~ '^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$') NOT VALID;
