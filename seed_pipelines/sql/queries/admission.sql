-- canary_of --
-- Whether a canary of this manifest version was published. Null: none was ever begun.
SELECT bool_or(state = 'published') AS is_published
FROM seed_control.seed_run
WHERE environment = %(environment)s::text AND tenant = %(tenant)s::text
    AND manifest_version = %(manifest_version)s::text AND mode = 'canary';
