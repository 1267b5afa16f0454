-- Views that open the personal columns, for a session that holds their keys and for no other.

-- Each column has a key of its own, in a setting of the session: seed_key.<table>_<column>. Without it the column is
-- null, and with a wrong one the statement fails. The views read with the rights of who asks, so row-level security
-- applies as it does to the tables.
CREATE SCHEMA app_opened;
GRANT USAGE ON SCHEMA app, app_opened TO seed_reader;

CREATE VIEW app_opened.users WITH (security_invoker = true) AS
SELECT
    t.tenant_id, t.id,
    pgp_sym_decrypt(t.name, nullif(current_setting('seed_key.users_name', true), '')) AS name,
    pgp_sym_decrypt(t.email, nullif(current_setting('seed_key.users_email', true), '')) AS email,
    t.email_digest, t.role, t.status, t.created_at, t.last_login_at
FROM app.users AS t;

CREATE VIEW app_opened.consultants WITH (security_invoker = true) AS
SELECT
    t.tenant_id, t.id,
    pgp_sym_decrypt(t.name, nullif(current_setting('seed_key.consultants_name', true), '')) AS name,
    pgp_sym_decrypt(t.phone, nullif(current_setting('seed_key.consultants_phone', true), '')) AS phone,
    pgp_sym_decrypt(t.email, nullif(current_setting('seed_key.consultants_email', true), '')) AS email,
    t.email_digest, t.uf, t.commission_bp, t.status, t.hired_on
FROM app.consultants AS t;

CREATE VIEW app_opened.customers WITH (security_invoker = true) AS
SELECT
    t.tenant_id, t.id, t.kind, t.tax_regime,
    pgp_sym_decrypt(t.document_number, nullif(current_setting('seed_key.customers_document_number', true), ''))
        AS document_number,
    t.document_number_digest,
    pgp_sym_decrypt(t.name, nullif(current_setting('seed_key.customers_name', true), '')) AS name,
    pgp_sym_decrypt(t.email, nullif(current_setting('seed_key.customers_email', true), '')) AS email,
    t.email_digest,
    pgp_sym_decrypt(t.phone, nullif(current_setting('seed_key.customers_phone', true), '')) AS phone,
    t.born_on, t.uf, t.city, t.monthly_income_cents, t.consultant_id, t.status, t.created_at
FROM app.customers AS t;

CREATE VIEW app_opened.addresses WITH (security_invoker = true) AS
SELECT
    t.tenant_id, t.id, t.customer_id, t.kind,
    pgp_sym_decrypt(t.street, nullif(current_setting('seed_key.addresses_street', true), '')) AS street,
    pgp_sym_decrypt(t.number, nullif(current_setting('seed_key.addresses_number', true), '')) AS number,
    pgp_sym_decrypt(t.complement, nullif(current_setting('seed_key.addresses_complement', true), '')) AS complement,
    t.district, t.city, t.uf,
    pgp_sym_decrypt(t.postal_code, nullif(current_setting('seed_key.addresses_postal_code', true), '')) AS postal_code
FROM app.addresses AS t;

CREATE VIEW app_opened.bank_accounts WITH (security_invoker = true) AS
SELECT
    t.tenant_id, t.id, t.customer_id, t.bank_code,
    pgp_sym_decrypt(t.agency, nullif(current_setting('seed_key.bank_accounts_agency', true), '')) AS agency,
    t.agency_digest,
    pgp_sym_decrypt(t.agency_digit, nullif(current_setting('seed_key.bank_accounts_agency_digit', true), ''))
        AS agency_digit,
    pgp_sym_decrypt(t.account, nullif(current_setting('seed_key.bank_accounts_account', true), '')) AS account,
    t.account_digest,
    pgp_sym_decrypt(t.account_digit, nullif(current_setting('seed_key.bank_accounts_account_digit', true), ''))
        AS account_digit,
    t.account_kind, t.pix_key_type,
    pgp_sym_decrypt(t.pix_key, nullif(current_setting('seed_key.bank_accounts_pix_key', true), '')) AS pix_key,
    t.pix_key_digest, t.status
FROM app.bank_accounts AS t;

CREATE VIEW app_opened.suppliers WITH (security_invoker = true) AS
SELECT
    t.tenant_id, t.id,
    pgp_sym_decrypt(t.name, nullif(current_setting('seed_key.suppliers_name', true), '')) AS name,
    pgp_sym_decrypt(t.document_number, nullif(current_setting('seed_key.suppliers_document_number', true), ''))
        AS document_number,
    t.document_number_digest, t.category_id, t.status, t.opened_on
FROM app.suppliers AS t;

CREATE VIEW app_opened.financial_transactions WITH (security_invoker = true) AS
SELECT
    t.tenant_id, t.id, t.loan_id, t.installment_id, t.kind, t.amount_cents, t.occurred_on, t.method, t.description,
    pgp_sym_decrypt(t.reference, nullif(current_setting('seed_key.financial_transactions_reference', true), ''))
        AS reference
FROM app.financial_transactions AS t;

GRANT SELECT ON ALL TABLES IN SCHEMA app_opened TO seed_reader;
GRANT SELECT ON app.tenants, app.users, app.consultants, app.customers, app.addresses, app.bank_accounts,
    app.categories, app.suppliers, app.credit_limits, app.loans, app.contracts, app.installments,
    app.financial_transactions TO seed_reader;
