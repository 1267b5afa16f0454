"""Ways to break a good schema, each with the checks of the preflight that have to notice it."""

from dataclasses import dataclass

TENANT = "nullif(current_setting('app.tenant_id', true), '')::uuid"
A_TENANT = "'00000000-0000-8000-8000-00000000000a'::uuid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakage:
    """Statements of a superuser, `{database}` standing for the database's name, and the checks that they break."""

    name: str
    statements: str
    checks: frozenset[str]


def _breaks(checks: str, **ways: str) -> list[Breakage]:
    return [
        Breakage(name=name.replace("_", "-"), statements=statements, checks=frozenset(checks.split()))
        for name, statements in ways.items()
    ]


def _policy(how: str, *, using: str = f"tenant_id = {TENANT}", check: str | None = None) -> str:
    return (
        "DROP POLICY tenant_only ON app.loans; "
        f"CREATE POLICY tenant_only ON app.loans {how} USING ({using}) WITH CHECK ({check or using})"
    )


def _function(name: str, options: str, *, body: str = "SELECT true") -> str:
    return f"CREATE FUNCTION {name} RETURNS boolean LANGUAGE sql {options} AS $$ {body} $$"


# Of the schema and what it can be reached by.
SCHEMA_BREAKAGES = [
    *_breaks(
        "row-security",
        row_security_disabled="ALTER TABLE app.loans DISABLE ROW LEVEL SECURITY",
        row_security_not_forced="ALTER TABLE app.loans NO FORCE ROW LEVEL SECURITY",
        row_security_disabled_on_a_partition="ALTER TABLE app.loans_default DISABLE ROW LEVEL SECURITY",
        row_security_not_forced_on_a_partition="ALTER TABLE app.loans_default NO FORCE ROW LEVEL SECURITY",
    ),
    *_breaks(
        "row-security tenant-policy",
        a_new_partition_without_anything="CREATE TABLE app.loans_x PARTITION OF app.loans "
        "FOR VALUES IN ('00000000-0000-8000-8000-00000000000a')",
    ),
    *_breaks(
        "tenant-policy",
        no_tenant_policy="DROP POLICY tenant_only ON app.loans",
        no_tenant_policy_on_a_partition="DROP POLICY tenant_only ON app.loans_default",
        no_permissive_policy="DROP POLICY tenant_rows ON app.loans",
        policy_with_a_fallback=_policy("AS RESTRICTIVE", using=f"tenant_id = coalesce({TENANT}, tenant_id)"),
        policy_that_takes_an_empty_tenant=_policy(
            "AS RESTRICTIVE", using="tenant_id::text = current_setting('app.tenant_id', true)"
        ),
        policy_that_fails_open=_policy("AS RESTRICTIVE", using=f"tenant_id = {TENANT} OR {TENANT} IS NULL"),
        policy_with_an_open_check=_policy("AS RESTRICTIVE", check="true"),
        policy_without_a_check="ALTER POLICY tenant_only ON app.loans WITH CHECK (tenant_id IS NOT NULL)",
        policy_on_another_setting=_policy(
            "AS RESTRICTIVE", using="tenant_id = nullif(current_setting('app.tenant', true), '')::uuid"
        ),
        policy_for_select_only="DROP POLICY tenant_only ON app.loans; "
        f"CREATE POLICY tenant_only ON app.loans AS RESTRICTIVE FOR SELECT USING (tenant_id = {TENANT})",
        policy_for_another_role=_policy("AS RESTRICTIVE TO seed_auditor"),
        policy_that_is_permissive=_policy("AS PERMISSIVE"),
        a_second_permissive_policy="CREATE POLICY open ON app.loans USING (true)",
        a_permissive_policy_for_the_loader="CREATE POLICY open ON app.loans FOR SELECT TO seed_loader USING (true)",
        a_policy_for_inserts="CREATE POLICY open ON app.loans FOR INSERT WITH CHECK (true)",
        a_function_of_the_same_name="CREATE FUNCTION public.current_setting(text, boolean) RETURNS text LANGUAGE sql "
        "AS $$ SELECT 'x' $$; "
        + _policy(
            "AS RESTRICTIVE", using="tenant_id = nullif(public.current_setting('app.tenant_id', true), '')::uuid"
        ),
    ),
    *_breaks(
        "ownership",
        the_loader_owns_a_control_table="ALTER TABLE seed_control.dataset OWNER TO seed_loader",
    ),
    *_breaks("ownership partitions", the_loader_owns_a_partition="ALTER TABLE app.loans_default OWNER TO seed_loader"),
    *_breaks("ownership table-rights", the_loader_owns_a_table="ALTER TABLE app.loans OWNER TO seed_loader"),
    *_breaks(
        "ownership creation-rights",
        the_loader_owns_the_schema="ALTER SCHEMA app OWNER TO seed_loader",
        the_loader_owns_the_database="ALTER DATABASE {database} OWNER TO seed_loader",
    ),
    *_breaks(
        "creation-rights",
        the_loader_may_create_tables="GRANT CREATE ON SCHEMA app TO seed_loader",
        everybody_may_create_in_public="GRANT CREATE ON SCHEMA public TO PUBLIC",
        the_loader_may_create_schemas="GRANT CREATE ON DATABASE {database} TO seed_loader",
    ),
    *_breaks(
        "table-rights",
        truncate="GRANT TRUNCATE ON app.loans TO seed_loader",
        truncate_for_everybody="GRANT TRUNCATE ON app.loans TO PUBLIC",
        trigger="GRANT TRIGGER ON app.loans TO seed_loader",
        references="GRANT REFERENCES ON app.loans TO seed_loader",
        references_of_a_column="GRANT REFERENCES (id) ON app.loans TO seed_loader",
        grant_option="GRANT SELECT ON app.loans TO seed_loader WITH GRANT OPTION",
    ),
    *_breaks("rules", a_rule="CREATE RULE gone AS ON DELETE TO app.loans_default DO INSTEAD NOTHING"),
    *_breaks(
        "triggers",
        a_trigger="CREATE FUNCTION public.spy() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$; "
        "CREATE TRIGGER spy BEFORE INSERT ON app.loans_default FOR EACH ROW EXECUTE FUNCTION public.spy()",
        constraints_switched_off="ALTER TABLE app.loans_default DISABLE TRIGGER ALL",
    ),
    *_breaks(
        "partitions",
        a_grant_on_a_partition="GRANT SELECT ON app.loans_default TO seed_loader",
        a_grant_on_a_partition_for_everybody="GRANT INSERT ON app.loans_default TO PUBLIC",
        a_grant_on_a_column_of_a_partition="GRANT SELECT (id) ON app.loans_default TO seed_loader",
    ),
    *_breaks(
        "views",
        a_view_of_a_superuser="CREATE VIEW public.seen AS SELECT id FROM app.loans; "
        "GRANT SELECT ON public.seen TO seed_loader",
        a_view_over_an_invoker_view="CREATE VIEW public.inner_view WITH (security_invoker = true) AS "
        "SELECT id FROM app.loans; CREATE VIEW public.seen AS SELECT id FROM public.inner_view; "
        "GRANT SELECT ON public.inner_view, public.seen TO PUBLIC",
        one_column_of_a_view="CREATE VIEW public.seen AS SELECT id FROM app.loans; "
        "GRANT SELECT (id) ON public.seen TO seed_loader",
        a_view_with_a_security_barrier_only="CREATE VIEW app.seen WITH (security_barrier) AS SELECT id FROM app.loans; "
        "GRANT SELECT ON app.seen TO seed_loader",
        a_view_of_personal_columns_switched_back="ALTER VIEW app_opened.customers RESET (security_invoker)",
        an_invoker_view_switched_back="CREATE VIEW public.seen WITH (security_invoker = off) AS "
        "SELECT id FROM app.loans; GRANT SELECT ON public.seen TO seed_loader",
    ),
    *_breaks(
        "other-relations",
        a_materialized_view="CREATE MATERIALIZED VIEW public.seen AS SELECT id FROM app.loans; "
        "GRANT SELECT ON public.seen TO seed_loader",
        a_foreign_table="CREATE FOREIGN DATA WRAPPER elsewhere; CREATE SERVER there FOREIGN DATA WRAPPER elsewhere; "
        "CREATE FOREIGN TABLE public.seen (id bigint) SERVER there; GRANT SELECT ON public.seen TO seed_loader",
        a_copy_of_a_table="CREATE TABLE public.loans_backup AS SELECT id FROM app.loans; "
        "GRANT SELECT ON public.loans_backup TO PUBLIC",
        a_copy_in_the_target_schema="CREATE TABLE app.loans_old AS SELECT id FROM app.loans; "
        "GRANT SELECT ON app.loans_old TO seed_loader",
    ),
    *_breaks(
        "definer-functions",
        a_definer_function=_function("public.peek()", "SECURITY DEFINER SET search_path = pg_catalog"),
        a_definer_procedure="CREATE PROCEDURE public.peek() LANGUAGE sql SECURITY DEFINER AS $$ SELECT 1 $$",
        a_definer_function_among_ours=_function("seed_control.peek()", "SECURITY DEFINER SET search_path = pg_catalog"),
        another_function_of_our_name=_function(
            "seed_control.discard_build(text)", "SECURITY DEFINER SET search_path = pg_catalog"
        ),
        our_function_with_another_body="CREATE OR REPLACE FUNCTION seed_control.discard_build(run uuid) RETURNS void "
        "LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$ BEGIN END $$",
        our_inner_function_with_another_body="CREATE OR REPLACE FUNCTION seed_control.drop_build(run uuid) "
        "RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog AS $$ BEGIN END $$",
        our_function_without_a_search_path="ALTER FUNCTION seed_control.discard_build(uuid) RESET search_path",
        our_function_with_a_wide_search_path="ALTER FUNCTION seed_control.discard_build(uuid) "
        "SET search_path = public, pg_catalog",
        our_function_owned_by_a_superuser="ALTER FUNCTION seed_control.discard_build(uuid) OWNER TO CURRENT_USER",
        all_of_ours_owned_by_a_superuser="ALTER SCHEMA seed_control OWNER TO CURRENT_USER; "
        "ALTER FUNCTION seed_control.discard_build(uuid) OWNER TO CURRENT_USER",
    ),
    *_breaks(
        "leakproof-functions",
        a_leakproof_function=_function("public.leak(bigint)", "COST 0.0001 LEAKPROOF"),
    ),
    *_breaks(
        "tenant-keys",
        a_key_without_the_tenant="CREATE UNIQUE INDEX loans_id ON app.loans_default (id)",
        a_key_with_the_tenant_last="CREATE UNIQUE INDEX loans_id ON app.loans (id, tenant_id)",
        a_key_over_an_expression="CREATE UNIQUE INDEX loans_id ON app.loans_default ((id + 1), tenant_id)",
        an_exclusion_without_the_tenant="ALTER TABLE app.loans_default ADD EXCLUDE USING btree (id WITH =)",
        a_reference_without_the_tenant="CREATE UNIQUE INDEX customers_id ON app.customers_default (id); "
        "ALTER TABLE app.loans_default ADD FOREIGN KEY (customer_id) REFERENCES app.customers_default (id)",
        a_reference_to_a_table_without_tenants="CREATE TABLE public.products (name text PRIMARY KEY); "
        "ALTER TABLE app.loans ADD FOREIGN KEY (product) REFERENCES public.products (name)",
        a_tenant_that_may_be_null="ALTER TABLE app.installments DROP CONSTRAINT installments_pkey CASCADE; "
        "ALTER TABLE app.installments ALTER tenant_id DROP NOT NULL",
    ),
    *_breaks(
        "sequences",
        an_identity_column="ALTER TABLE app.installments ALTER id ADD GENERATED BY DEFAULT AS IDENTITY",
        a_default_from_a_sequence="CREATE SEQUENCE app.numbers; "
        "ALTER TABLE app.loans ALTER id SET DEFAULT nextval('app.numbers')",
        a_sequence_that_the_loader_moves="CREATE SEQUENCE app.numbers; GRANT UPDATE ON app.numbers TO seed_loader",
    ),
    *_breaks(
        "target-tables",
        a_table_dropped="DROP TABLE app.installments CASCADE",
        a_table_renamed="ALTER TABLE app.installments RENAME TO installment",
        a_table_replaced_by_an_invoker_view="ALTER TABLE app.installments RENAME TO installment; "
        "CREATE VIEW app.installments WITH (security_invoker = true) AS SELECT * FROM app.installment; "
        "GRANT SELECT, INSERT ON app.installments TO seed_loader",
    ),
    *_breaks(
        "build-tables",
        a_build_table_of_nobody="CREATE TABLE seed_build.loans_x (LIKE app.loans); "
        "GRANT INSERT ON seed_build.loans_x TO seed_loader",
        a_build_table_that_can_be_read="CREATE TABLE seed_build.loans_x (LIKE app.loans); "
        "GRANT SELECT ON seed_build.loans_x TO seed_loader",
        a_build_table_that_can_be_changed="CREATE TABLE seed_build.loans_x (LIKE app.loans); "
        "GRANT UPDATE ON seed_build.loans_x TO seed_loader",
    ),
]

# Of the database itself: committed to a database of one test, since only new sessions see them.
DATABASE_BREAKAGES = [
    # The control plane has policies too: what asks it about builds fails as well.
    *_breaks(
        "session build-tables",
        row_security_off_in_the_database="ALTER DATABASE {database} SET row_security = off",
    ),
    *_breaks(
        "session",
        a_tenant_in_the_database=f"ALTER DATABASE {{database}} SET app.tenant_id = {A_TENANT.partition('::')[0]}",
        a_search_path_that_begins_elsewhere="ALTER DATABASE {database} SET search_path = public, pg_catalog",
        triggers_that_do_not_fire="ALTER DATABASE {database} SET session_replication_role = replica",
    ),
    # A statement that fails ends the transaction that it is in: not one for the transactions of the others.
    *_breaks(
        "build-tables",
        builds_that_cannot_be_looked_at="REVOKE SELECT ON seed_control.build_table FROM seed_loader",
    ),
]

# Of roles, which belong to the whole server: another test must never see them.
ROLE_BREAKAGES = [
    *_breaks(
        "login-role",
        superuser="ALTER ROLE seed_loader SUPERUSER",
        bypassrls="ALTER ROLE seed_loader BYPASSRLS",
        createrole="ALTER ROLE seed_loader CREATEROLE",
        createdb="ALTER ROLE seed_loader CREATEDB",
        replication="ALTER ROLE seed_loader REPLICATION",
    ),
    *_breaks(
        "memberships",
        member_of_a_role_that_bypasses="CREATE ROLE passing_{database} BYPASSRLS; "
        "GRANT passing_{database} TO seed_loader",
        member_through_another_role="CREATE ROLE between_{database}; GRANT seed_owner TO between_{database}; "
        "GRANT between_{database} TO seed_loader",
        member_of_pg_read_all_data="GRANT pg_read_all_data TO seed_loader",
        member_of_pg_write_all_data="GRANT pg_write_all_data TO seed_loader",
        member_of_pg_read_server_files="GRANT pg_read_server_files TO seed_loader",
        member_of_pg_execute_server_program="GRANT pg_execute_server_program TO seed_loader",
    ),
    *_breaks("memberships ownership", member_of_the_owner="GRANT seed_owner TO seed_loader"),
    *_breaks("definer-functions", an_owner_that_bypasses="ALTER ROLE seed_owner BYPASSRLS"),
]
