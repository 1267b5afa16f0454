CREATE TABLE app.credit_limits (
    tenant_id uuid NOT NULL,
    id bigint NOT NULL,
    customer_id bigint NOT NULL,
    limit_cents bigint NOT NULL,
    used_cents bigint NOT NULL,
    status text NOT NULL,
    valid_until date NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, customer_id),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES app.customers (tenant_id, id) DEFERRABLE INITIALLY IMMEDIATE
) PARTITION BY LIST (tenant_id);
SELECT seed_control.open_to_readers('credit_limits');
