CREATE TABLE app.addresses (
    tenant_id uuid NOT NULL,
    id bigint NOT NULL,
    customer_id bigint NOT NULL,
    kind text NOT NULL,
    street bytea NOT NULL,
    number bytea NOT NULL,
    complement bytea,
    district text NOT NULL,
    city text NOT NULL,
    uf text NOT NULL,
    postal_code bytea NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, customer_id, kind),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES app.customers (tenant_id, id) DEFERRABLE INITIALLY IMMEDIATE
) PARTITION BY LIST (tenant_id);
SELECT seed_control.open_to_readers('addresses');
