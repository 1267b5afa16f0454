-- Every answer to "may this caller do this?", written before the answer is used. The API adds rows and does nothing else
-- with them; the auditor reads them. Who it was is a keyed digest: a subject may be somebody's e-mail address.
CREATE TABLE seed_control.access_decision (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    decided_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    subject_digest text NOT NULL CHECK (subject_digest ~ '^[0-9a-f]{64}$'),
    action text NOT NULL CHECK (action IN ('validate', 'run', 'cancel', 'read', 'purge')),
    -- As the request named them, where that is a name at all, else a question mark.
    environment text NOT NULL CHECK (environment ~ '^([a-z][a-z0-9-]{0,62}|[?])$'),
    tenant text NOT NULL CHECK (tenant ~ '^([a-z][a-z0-9-]{0,62}|[?])$'),
    -- None: about every mode.
    mode text CHECK (mode IN ('baseline', 'carga', 'dr', 'canary')),
    -- The name of the rule that allowed it.
    rule text,
    allowed boolean NOT NULL GENERATED ALWAYS AS (rule IS NOT NULL) STORED,
    policy_version text NOT NULL,
    policy_sha256 text NOT NULL CHECK (policy_sha256 ~ '^[0-9a-f]{64}$')
);
CREATE INDEX access_decision_decided_at ON seed_control.access_decision USING brin (decided_at);
GRANT INSERT (subject_digest, action, environment, tenant, mode, rule, policy_version, policy_sha256)
    ON seed_control.access_decision TO seed_api;
GRANT SELECT ON seed_control.access_decision TO seed_auditor;
