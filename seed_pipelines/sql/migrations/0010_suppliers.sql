CREATE TABLE app.suppliers (
    tenant_id uuid NOT NULL,
    id bigint NOT NULL,
    name bytea NOT NULL,
    document_number bytea NOT NULL,
    document_number_digest bytea NOT NULL,
    category_id bigint NOT NULL,
    status text NOT NULL,
    opened_on date NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, document_number_digest),
    FOREIGN KEY (tenant_id, category_id) REFERENCES app.categories (tenant_id, id) DEFERRABLE INITIALLY IMMEDIATE
) PARTITION BY LIST (tenant_id);
SELECT seed_control.open_to_readers('suppliers');
