CREATE TABLE app.bank_accounts (
    tenant_id uuid NOT NULL,
    id bigint NOT NULL,
    customer_id bigint NOT NULL,
    bank_code text NOT NULL,
    agency bytea NOT NULL,
    agency_digest bytea NOT NULL,
    agency_digit bytea,
    account bytea NOT NULL,
    account_digest bytea NOT NULL,
    account_digit bytea NOT NULL,
    account_kind text NOT NULL,
    pix_key_type text,
    pix_key bytea,
    pix_key_digest bytea,
    status text NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, bank_code, agency_digest, account_digest),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES app.customers (tenant_id, id) DEFERRABLE INITIALLY IMMEDIATE
) PARTITION BY LIST (tenant_id);
SELECT seed_control.open_to_readers('bank_accounts');
