-- The keys that encrypt a tenant's columns at rest, wrapped by a key that never leaves Vault. Nothing here is ever changed
-- or deleted: a rotation adds the same key, wrapped anew, as a further generation, and without a row its data are lost.
CREATE TABLE seed_control.data_key (
    environment text NOT NULL CHECK (environment <> ''),
    tenant text NOT NULL CHECK (tenant <> ''),
    purpose text NOT NULL CHECK (purpose IN ('at_rest')),
    generation integer NOT NULL CHECK (generation >= 1),
    -- Which key of Vault wraps it, and at which version.
    wrapping_key text NOT NULL,
    wrapping_version integer NOT NULL CHECK (wrapping_version >= 1),
    wrapped text NOT NULL,
    -- Tells keys apart and says nothing about them; the same in every generation.
    key_check text NOT NULL CHECK (key_check ~ '^[0-9a-f]{16}$'),
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (environment, tenant, purpose, generation)
);
GRANT SELECT ON seed_control.data_key TO seed_loader;
GRANT INSERT (environment, tenant, purpose, generation, wrapping_key, wrapping_version, wrapped, key_check)
    ON seed_control.data_key TO seed_loader;
GRANT SELECT (environment, tenant, purpose, generation, wrapping_key, wrapping_version, key_check, made_at)
    ON seed_control.data_key TO seed_auditor;
