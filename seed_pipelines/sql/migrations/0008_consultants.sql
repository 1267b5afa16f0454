CREATE TABLE app.consultants (
    tenant_id uuid NOT NULL,
    id bigint NOT NULL,
    name bytea NOT NULL,
    phone bytea NOT NULL,
    email bytea NOT NULL,
    email_digest bytea NOT NULL,
    uf text NOT NULL,
    commission_bp integer NOT NULL,
    status text NOT NULL,
    hired_on date NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, email_digest)
) PARTITION BY LIST (tenant_id);
SELECT seed_control.open_to_readers('consultants');

ALTER TABLE app.customers ADD FOREIGN KEY (tenant_id, consultant_id) REFERENCES app.consultants (tenant_id, id)
    DEFERRABLE INITIALLY IMMEDIATE;
