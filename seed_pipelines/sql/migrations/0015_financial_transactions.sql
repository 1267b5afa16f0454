-- An installment is paid once; a release belongs to no installment.
CREATE TABLE app.financial_transactions (
    tenant_id uuid NOT NULL,
    id bigint NOT NULL,
    loan_id bigint NOT NULL,
    installment_id bigint,
    kind text NOT NULL,
    amount_cents bigint NOT NULL,
    occurred_on date NOT NULL,
    method text NOT NULL,
    description text NOT NULL,
    reference bytea,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, installment_id),
    FOREIGN KEY (tenant_id, loan_id) REFERENCES app.loans (tenant_id, id) DEFERRABLE INITIALLY IMMEDIATE,
    FOREIGN KEY (tenant_id, installment_id) REFERENCES app.installments (tenant_id, id) DEFERRABLE INITIALLY IMMEDIATE
) PARTITION BY LIST (tenant_id);
SELECT seed_control.open_to_readers('financial_transactions');
