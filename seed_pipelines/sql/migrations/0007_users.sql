CREATE TABLE app.users (
    tenant_id uuid NOT NULL,
    id bigint NOT NULL,
    name bytea NOT NULL,
    email bytea NOT NULL,
    email_digest bytea NOT NULL,
    role text NOT NULL,
    status text NOT NULL,
    created_at timestamptz NOT NULL,
    last_login_at timestamptz,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, email_digest)
) PARTITION BY LIST (tenant_id);
SELECT seed_control.open_to_readers('users');
