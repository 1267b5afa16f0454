CREATE TABLE app.contracts (
    tenant_id uuid NOT NULL,
    id bigint NOT NULL,
    loan_id bigint NOT NULL,
    contract_number text NOT NULL,
    status text NOT NULL,
    signed_on date NOT NULL,
    first_due_on date NOT NULL,
    last_due_on date NOT NULL,
    total_payable_cents bigint NOT NULL,
    iof_cents bigint NOT NULL,
    cet_annual_bp integer NOT NULL,
    cet_monthly_bp integer NOT NULL,
    late_fee_bp integer NOT NULL,
    late_interest_monthly_bp integer NOT NULL,
    PRIMARY KEY (tenant_id, id),
    UNIQUE (tenant_id, loan_id),
    UNIQUE (tenant_id, contract_number),
    FOREIGN KEY (tenant_id, loan_id) REFERENCES app.loans (tenant_id, id) DEFERRABLE INITIALLY IMMEDIATE
) PARTITION BY LIST (tenant_id);
SELECT seed_control.open_to_readers('contracts');
