-- Personal columns hold OpenPGP messages (pgp_sym_decrypt opens them with the tenant's key); a digest beside them is
-- keyed too, and serves equality and uniqueness.
CREATE TABLE app.customers (
    tenant_id uuid NOT NULL,
    id bigint NOT NULL,
    kind text NOT NULL,
    tax_regime text,
    document_number bytea NOT NULL,
    document_number_digest bytea NOT NULL,
    name bytea NOT NULL,
    email bytea NOT NULL,
    email_digest bytea NOT NULL,
    phone bytea NOT NULL,
    born_on date NOT NULL,
    uf text NOT NULL,
    city text NOT NULL,
    monthly_income_cents bigint NOT NULL,
    consultant_id bigint,
    status text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, document_number_digest),
    UNIQUE (tenant_id, email_digest)
) PARTITION BY LIST (tenant_id);
SELECT seed_control.open_to_readers('customers');
