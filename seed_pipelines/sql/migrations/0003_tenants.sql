CREATE TABLE app.tenants (
    tenant_id uuid NOT NULL,
    id bigint NOT NULL,
    slug text NOT NULL,
    environment text NOT NULL,
    mode text NOT NULL,
    status text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
) PARTITION BY LIST (tenant_id);
SELECT seed_control.open_to_readers('tenants');
