-- profile_kinds --
-- Customers who are people, and companies.
SELECT kind AS key, count(*) AS rows
FROM app.customers
WHERE tenant_id = %(tenant_id)s::uuid AND id BETWEEN %(first_id)s::bigint AND %(last_id)s::bigint
GROUP BY 1;

-- profile_states --
-- Where customers live.
SELECT uf AS key, count(*) AS rows
FROM app.customers
WHERE tenant_id = %(tenant_id)s::uuid AND id BETWEEN %(first_id)s::bigint AND %(last_id)s::bigint
GROUP BY 1;

-- profile_ages --
-- Customers of one kind by days of age, in the bands between the bounds.
SELECT width_bucket(%(today)s::date - born_on, %(bounds)s::integer[])::text AS key, count(*) AS rows
FROM app.customers
WHERE tenant_id = %(tenant_id)s::uuid AND id BETWEEN %(first_id)s::bigint AND %(last_id)s::bigint
    AND kind = %(kind)s::text
GROUP BY 1;

-- profile_incomes --
-- Customers of one kind by whole reais a month.
SELECT width_bucket(monthly_income_cents / 100, %(bounds)s::bigint[])::text AS key, count(*) AS rows
FROM app.customers
WHERE tenant_id = %(tenant_id)s::uuid AND id BETWEEN %(first_id)s::bigint AND %(last_id)s::bigint
    AND kind = %(kind)s::text
GROUP BY 1;

-- profile_ages_earning --
-- People with so much income or more, by days of age.
SELECT width_bucket(%(today)s::date - born_on, %(bounds)s::integer[])::text AS key, count(*) AS rows
FROM app.customers
WHERE tenant_id = %(tenant_id)s::uuid AND id BETWEEN %(first_id)s::bigint AND %(last_id)s::bigint
    AND kind = 'PF' AND monthly_income_cents >= %(least_cents)s::bigint
GROUP BY 1;

-- profile_regimes --
-- Companies in Simples Nacional, and others.
SELECT coalesce(tax_regime, 'none') AS key, count(*) AS rows
FROM app.customers
WHERE tenant_id = %(tenant_id)s::uuid AND id BETWEEN %(first_id)s::bigint AND %(last_id)s::bigint AND kind = 'PJ'
GROUP BY 1;

-- profile_products --
-- Loans of some products, by product.
SELECT product AS key, count(*) AS rows
FROM app.loans
WHERE tenant_id = %(tenant_id)s::uuid AND id BETWEEN %(first_id)s::bigint AND %(last_id)s::bigint
    AND product = ANY (%(products)s::text[])
GROUP BY 1;

-- profile_rates --
-- Loans of some products by monthly rate.
SELECT width_bucket(monthly_rate_ppm, %(bounds)s::integer[])::text AS key, count(*) AS rows
FROM app.loans
WHERE tenant_id = %(tenant_id)s::uuid AND id BETWEEN %(first_id)s::bigint AND %(last_id)s::bigint
    AND product = ANY (%(products)s::text[])
GROUP BY 1;

-- profile_terms --
-- Loans by the number of their installments.
SELECT width_bucket(installment_count::integer, %(bounds)s::integer[])::text AS key, count(*) AS rows
FROM app.loans
WHERE tenant_id = %(tenant_id)s::uuid AND id BETWEEN %(first_id)s::bigint AND %(last_id)s::bigint
GROUP BY 1;

-- profile_amounts --
-- Loans by principal.
SELECT width_bucket(principal_cents, %(bounds)s::bigint[])::text AS key, count(*) AS rows
FROM app.loans
WHERE tenant_id = %(tenant_id)s::uuid AND id BETWEEN %(first_id)s::bigint AND %(last_id)s::bigint
GROUP BY 1;

-- profile_amounts_within --
-- Loans whose principal is one of their product's, and others.
SELECT CASE WHEN l.principal_cents BETWEEN p.least AND p.most THEN 'within' ELSE 'outside' END AS key, count(*) AS rows
FROM app.loans AS l
LEFT JOIN unnest(%(products)s::text[], %(least)s::bigint[], %(most)s::bigint[]) AS p (name, least, most)
    ON p.name = l.product
WHERE l.tenant_id = %(tenant_id)s::uuid AND l.id BETWEEN %(first_id)s::bigint AND %(last_id)s::bigint
GROUP BY 1;

-- profile_days_late --
-- Delinquent loans by the days since the first installment that was not paid.
SELECT width_bucket(%(today)s::date - unpaid.due_on, %(bounds)s::integer[])::text AS key, count(*) AS rows
FROM app.loans AS l
CROSS JOIN LATERAL (
    SELECT min(i.due_on) AS due_on
    FROM app.installments AS i
    WHERE i.tenant_id = l.tenant_id AND i.loan_id = l.id AND i.status = 'overdue'
) AS unpaid
WHERE l.tenant_id = %(tenant_id)s::uuid AND l.id BETWEEN %(first_id)s::bigint AND %(last_id)s::bigint
    AND l.status = 'delinquent' AND unpaid.due_on IS NOT NULL
GROUP BY 1;

-- profile_late_bands --
-- Loans in force by the days since the first installment that was not paid: band 1 is below the first bound.
SELECT 1 + width_bucket(coalesce(%(today)s::date - unpaid.due_on, 0), %(bounds)s::integer[]) AS key, count(*) AS rows
FROM app.loans AS l
LEFT JOIN LATERAL (
    SELECT min(i.due_on) AS due_on
    FROM app.installments AS i
    WHERE l.status = 'delinquent' AND i.tenant_id = l.tenant_id AND i.loan_id = l.id AND i.status = 'overdue'
) AS unpaid ON true
WHERE l.tenant_id = %(tenant_id)s::uuid AND l.id BETWEEN %(first_id)s::bigint AND %(last_id)s::bigint
    AND l.status IN ('active', 'delinquent')
GROUP BY 1;

-- profile_burdens --
-- Customers by whether the first installments of all their loans together are within a share of the income.
SELECT CASE
        WHEN asked.cents * 100 <= c.monthly_income_cents * CASE c.kind
            WHEN 'PF' THEN %(income_share)s::integer
            ELSE %(revenue_share)s::integer
        END THEN 'within'
        ELSE 'beyond'
    END AS key,
    count(*) AS rows
FROM (
    SELECT l.tenant_id, l.customer_id, sum(i.payment_cents) AS cents
    FROM app.loans AS l
    JOIN app.installments AS i ON i.tenant_id = l.tenant_id AND i.loan_id = l.id AND i.number = 1
    WHERE l.tenant_id = %(tenant_id)s::uuid AND l.id BETWEEN %(first_id)s::bigint AND %(last_id)s::bigint
    GROUP BY 1, 2
) AS asked
JOIN app.customers AS c ON c.tenant_id = asked.tenant_id AND c.id = asked.customer_id
GROUP BY 1;

-- profile_loans_each --
-- Customers by how many loans they have, the highest numbers together.
SELECT least(owned.loans, %(most)s::bigint)::text AS key, count(*) AS rows
FROM (
    SELECT count(l.id) AS loans
    FROM app.customers AS c
    LEFT JOIN app.loans AS l ON l.tenant_id = c.tenant_id AND l.customer_id = c.id
    WHERE c.tenant_id = %(tenant_id)s::uuid AND c.id BETWEEN %(first_id)s::bigint AND %(last_id)s::bigint
    GROUP BY c.id
) AS owned
GROUP BY 1;

-- profile_roles --
-- Users by role.
SELECT role AS key, count(*) AS rows
FROM app.users
WHERE tenant_id = %(tenant_id)s::uuid AND id BETWEEN %(first_id)s::bigint AND %(last_id)s::bigint
GROUP BY 1;

-- profile_banks --
-- Accounts by bank.
SELECT bank_code AS key, count(*) AS rows
FROM app.bank_accounts
WHERE tenant_id = %(tenant_id)s::uuid AND id BETWEEN %(first_id)s::bigint AND %(last_id)s::bigint
GROUP BY 1;

-- profile_methods --
-- Payments by the way in which they came.
SELECT method AS key, count(*) AS rows
FROM app.financial_transactions
WHERE tenant_id = %(tenant_id)s::uuid AND id BETWEEN %(first_id)s::bigint AND %(last_id)s::bigint AND kind = 'payment'
GROUP BY 1;

-- profile_punctuality --
-- Payments before, on and after their due date.
SELECT sign(paid_on - due_on)::integer::text AS key, count(*) AS rows
FROM app.installments
WHERE tenant_id = %(tenant_id)s::uuid AND id BETWEEN %(first_id)s::bigint AND %(last_id)s::bigint
    AND paid_on IS NOT NULL
GROUP BY 1;

-- profile_statuses --
-- Rows by status, of every entity that has states.
SELECT s.entity, s.status, count(*) AS rows
FROM (
    SELECT 'users' AS entity, status, tenant_id, id FROM app.users
    UNION ALL
    SELECT 'consultants', status, tenant_id, id FROM app.consultants
    UNION ALL
    SELECT 'customers', status, tenant_id, id FROM app.customers
    UNION ALL
    SELECT 'bank_accounts', status, tenant_id, id FROM app.bank_accounts
    UNION ALL
    SELECT 'suppliers', status, tenant_id, id FROM app.suppliers
    UNION ALL
    SELECT 'credit_limits', status, tenant_id, id FROM app.credit_limits
    UNION ALL
    SELECT 'loans', status, tenant_id, id FROM app.loans
) AS s
WHERE s.tenant_id = %(tenant_id)s::uuid AND s.id BETWEEN %(first_id)s::bigint AND %(last_id)s::bigint
GROUP BY 1, 2;
