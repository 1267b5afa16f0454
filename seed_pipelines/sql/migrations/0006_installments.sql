CREATE TABLE app.installments (
    tenant_id uuid NOT NULL,
    id bigint NOT NULL,
    loan_id bigint NOT NULL,
    number smallint NOT NULL,
    due_on date NOT NULL,
    payment_cents bigint NOT NULL,
    interest_cents bigint NOT NULL,
    amortization_cents bigint NOT NULL,
    balance_cents bigint NOT NULL,
    status text NOT NULL,
    paid_on date,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, loan_id, number),
    FOREIGN KEY (tenant_id, loan_id) REFERENCES app.loans (tenant_id, id) DEFERRABLE INITIALLY IMMEDIATE
) PARTITION BY LIST (tenant_id);
SELECT seed_control.open_to_readers('installments');
