-- A report names the word lists that its seed run was made from, whichever release writes it. Null: it was claimed
-- before they were kept.
SET lock_timeout = '5s';

ALTER TABLE seed_control.seed_run ADD COLUMN vocabulary_sha256 text;
ALTER TABLE seed_control.seed_run ADD CONSTRAINT seed_run_vocabulary_check
    CHECK (vocabulary_sha256 ~ '^[0-9a-f]{64}$') NOT VALID;
