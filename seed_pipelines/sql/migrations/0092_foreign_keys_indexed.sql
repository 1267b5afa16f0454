-- Every foreign key has an index that begins with its columns. Without one the engine reads all of a tenant's rows for
-- each parent that is deleted, which takes hours where a small dataset takes the place of a large one.
-- A partitioned table cannot have them built concurrently: meanwhile whoever writes waits, a second for a million rows.
SET LOCAL statement_timeout = '1h';
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX ON app.customers (tenant_id, consultant_id);
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX ON app.categories (tenant_id, parent_id);
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX ON app.suppliers (tenant_id, category_id);
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX ON app.bank_accounts (tenant_id, customer_id);
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX ON app.loans (tenant_id, customer_id);
-- squawk-ignore require-concurrent-index-creation
CREATE INDEX ON app.financial_transactions (tenant_id, loan_id);

-- As before, and the indexes that no constraint stands for. Attaching would build them too, under everybody's lock.
CREATE OR REPLACE FUNCTION seed_control.finish_build(entity_name text, build_name text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    source regclass := format('app.%I', entity_name)::regclass;
    key_definition text;
    index_definition text;
BEGIN
    FOR key_definition IN
        SELECT pg_get_constraintdef(oid) FROM pg_constraint
        WHERE conrelid = source AND contype IN ('p', 'u')
        ORDER BY contype, conname
    LOOP
        EXECUTE format('ALTER TABLE seed_build.%I ADD %s', build_name, key_definition);
    END LOOP;
    FOR index_definition IN
        SELECT substring(pg_get_indexdef(i.indexrelid) FROM ' (USING .*)$') FROM pg_index AS i
        WHERE i.indrelid = source AND NOT i.indisunique
        ORDER BY i.indexrelid
    LOOP
        EXECUTE format('CREATE INDEX ON seed_build.%I %s', build_name, index_definition);
    END LOOP;
    PERFORM seed_control.protect_build(build_name);
END
$$;
