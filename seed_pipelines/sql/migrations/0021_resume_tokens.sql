-- What a checkpoint says, once more, as an OpenPGP message of the tenant's key: bound to tenant, environment, seed run,
-- manifest and fence. Going on opens it, so a checkpoint that was changed or moved is noticed.
ALTER TABLE seed_control.checkpoint ADD COLUMN resume_token bytea NOT NULL;
