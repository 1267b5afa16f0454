CREATE TABLE app.loans (
    tenant_id uuid NOT NULL,
    id bigint NOT NULL,
    customer_id bigint NOT NULL,
    product text NOT NULL,
    amortization_system text NOT NULL,
    status text NOT NULL,
    principal_cents bigint NOT NULL,
    net_amount_cents bigint NOT NULL,
    iof_cents bigint NOT NULL,
    monthly_rate_ppm integer NOT NULL,
    cet_annual_bp integer NOT NULL,
    installment_count smallint NOT NULL,
    proposed_on date NOT NULL,
    approved_on date NOT NULL,
    released_on date NOT NULL,
    first_due_on date NOT NULL,
    PRIMARY KEY (tenant_id, id),
    FOREIGN KEY (tenant_id, customer_id) REFERENCES app.customers (tenant_id, id) DEFERRABLE INITIALLY IMMEDIATE
) PARTITION BY LIST (tenant_id);
SELECT seed_control.open_to_readers('loans');
