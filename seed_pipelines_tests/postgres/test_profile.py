"""The profile of a published dataset: what its rows are like, and whether that is what they are meant to be like."""

import base64
import re
import struct
from dataclasses import replace

import pytest
from factories import make_plan
from seed_runs import run_all
from seeded import new_database, open_one_session

from seed_pipelines.control import runs
from seed_pipelines.orchestration import metadata
from seed_pipelines.profile.distribution import Bar, Distribution, Verdict
from seed_pipelines.profile.expected import expectations
from seed_pipelines.profile.measured import profile_of
from seed_pipelines.profile.page import page_of
from seed_pipelines.profile.plots import plot_of, sheet_of

PLAN = make_plan(customers=900, users=200, suppliers=40, mode="carga")


@pytest.fixture(scope="module")
def database(postgres_server, seeded_template, tmp_path_factory):
    """A carga of acme, and another tenant that is not to be counted."""
    home = tmp_path_factory.mktemp("profile")
    with new_database(postgres_server, seeded_template) as database:
        for tenant, plan in (("globex", make_plan(customers=50, tenant="globex")), ("acme", PLAN)):
            with open_one_session(database.loader_url, home, tenant=tenant) as session:
                run_all(session, plan)
        yield database


@pytest.fixture(scope="module")
def run(database):
    with database.connection() as connection:
        row = connection.execute("SELECT seed_run_id FROM seed_control.dataset WHERE tenant = 'acme'").fetchone()
        return runs.find(connection, row["seed_run_id"])


@pytest.fixture(scope="module")
def profile(database, run):
    with database.connection() as connection:
        return profile_of(connection, run, plan=PLAN)


def found(profile, name):
    return next(each for each in profile.distributions if each.name == name)


def after(database, run, statement, *, is_quick=True):
    """The profile that the dataset would have after a change, which is taken back."""
    with database.superuser() as connection, connection.transaction(force_rollback=True):
        connection.execute(statement)
        connection.execute("SET LOCAL SESSION AUTHORIZATION seed_loader")
        return profile_of(connection, run, plan=PLAN, is_quick=is_quick)


def test_every_distribution_of_a_whole_dataset_is_as_expected(profile):
    verdicts = {each.name: each.verdict for each in profile.distributions}
    names = {expected.name for expected in expectations(PLAN.rows)} | {"states", "over_90", "stage"}
    assert verdicts == dict.fromkeys(names, Verdict.AS_EXPECTED) | {"amount": Verdict.SHOWN}
    assert len(names) > 20


def test_only_rows_of_the_dataset_are_counted(database, run, profile):
    assert sum(bar.count for bar in found(profile, "kind").bars) == PLAN.rows["customers"]
    assert sum(bar.count for bar in found(profile, "term").bars) == PLAN.rows["loans"]
    grown = after(
        database,
        run,
        "INSERT INTO app.users SELECT tenant_id, 7, name, email, '\\x00', 'admin', status, created_at, last_login_at "
        "FROM app.users ORDER BY id LIMIT 1",
    )
    assert found(grown, "role") == found(profile, "role")


@pytest.mark.parametrize(
    ("name", "statement"),
    [
        ("state", "UPDATE app.customers SET uf = 'AC' WHERE uf IN ('SP', 'MG')"),
        ("kind", "UPDATE app.customers SET kind = 'PJ' WHERE id % 10 = 0"),
        ("age", "UPDATE app.customers SET born_on = born_on - 3000 WHERE kind = 'PF'"),
        ("age_of_good_income", "UPDATE app.customers SET monthly_income_cents = 600000 WHERE kind = 'PF'"),
        ("income", "UPDATE app.customers SET monthly_income_cents = monthly_income_cents / 2"),
        ("burden", "UPDATE app.customers SET monthly_income_cents = monthly_income_cents / 2"),
        ("stage", "UPDATE app.installments SET due_on = due_on - 30 WHERE status = 'overdue'"),
        ("over_90", "UPDATE app.installments SET due_on = due_on - 100 WHERE status = 'overdue'"),
        ("product", "UPDATE app.loans SET product = 'vehicle_financing' WHERE product = 'payroll_public'"),
        ("rate", "UPDATE app.loans SET monthly_rate_ppm = 40000 WHERE monthly_rate_ppm > 60000"),
        ("term", "UPDATE app.loans SET installment_count = 48 WHERE id % 9 = 0"),
        ("amount_within", "UPDATE app.loans SET principal_cents = 1 WHERE id % 9 = 0"),
        ("product", "UPDATE app.loans SET product = 'lottery' WHERE product = 'payroll_public'"),
        ("days_late", "UPDATE app.installments SET due_on = due_on - 100 WHERE status = 'overdue'"),
        ("method", "UPDATE app.financial_transactions SET method = 'cheque' WHERE id % 9 = 0"),
        (
            "states",
            "UPDATE app.loans SET status = 'active' WHERE id = (SELECT min(id) FROM app.loans "
            "WHERE status = 'delinquent')",
        ),
    ],
)
def test_a_dataset_that_looks_otherwise_is_told_by_name(database, run, name, statement):
    changed = after(database, run, statement, is_quick=name not in ("method", "burden"))
    if "lottery" in statement:
        assert found(changed, "amount_within").verdict is Verdict.DIFFERS
    assert name in {each.name for each in changed.differing}


def test_without_the_plan_the_states_are_shown_and_nothing_is_said_of_them(database, run):
    with database.connection() as connection:
        unplanned = profile_of(connection, run, plan=None)
    states = found(unplanned, "states")
    for name in ("states", "over_90", "stage", "income", "product", "rate"):
        assert found(unplanned, name).verdict is Verdict.SHOWN
    assert sum(bar.count for bar in states.bars) == sum(sum(each.values()) for each in PLAN.state_rows.values())


def test_a_quick_profile_leaves_out_what_reads_the_largest_tables(database, run, profile):
    with database.connection() as connection:
        quick = profile_of(connection, run, plan=PLAN, is_quick=True)
    left_out = {"loans_each", "burden", "method", "punctuality"}
    assert quick.distributions == tuple(each for each in profile.distributions if each.name not in left_out)


def test_nothing_is_left_set_in_the_session(database, run):
    with database.connection() as connection:
        profile_of(connection, run, plan=None, is_quick=True)
        setting = connection.execute("SELECT current_setting('app.tenant_id', true) AS tenant").fetchone()["tenant"]
    assert not setting


def size_of(png):
    assert png.startswith(b"\x89PNG\r\n")
    return struct.unpack(">II", png[16:24])


def test_pictures_are_the_same_each_time_and_of_a_readable_size(profile):
    assert sheet_of(profile) == sheet_of(profile)
    assert size_of(sheet_of(profile)) == (945, 364)
    assert all(size_of(plot_of(each))[0] == 600 for each in profile.distributions[:3])


def test_metadata_of_an_asset_is_small_and_shows_plots_and_verdicts(profile):
    told = metadata.of_profile(profile)
    text = told["distributions"].value
    assert len(text) < 100 * 1024
    assert told["distributions_that_differ"] == "none"
    picture = re.search(r"!\[[^]]+\]\(data:image/png;base64,([A-Za-z0-9+/=]+)\)", text).group(1)
    size_of(base64.b64decode(picture))
    assert all(f"| {each.title} |" in text for each in profile.distributions)


def test_a_page_holds_its_pictures_and_loads_nothing(profile):
    page = page_of([replace(profile, distributions=profile.distributions[:2])])
    assert page.count("data:image/png;base64,") == 2
    assert "http" not in page.replace("http-equiv", "")
    assert "Customers by state" in page


@pytest.mark.parametrize(
    ("count", "expected", "is_exact", "verdict"),
    [
        (500, 0.5, False, Verdict.AS_EXPECTED),
        (560, 0.5, False, Verdict.AS_EXPECTED),
        (580, 0.5, False, Verdict.DIFFERS),
        (0, 0.0, False, Verdict.AS_EXPECTED),
        (20, 0.0, False, Verdict.DIFFERS),
        (33, 0.0333, True, Verdict.AS_EXPECTED),
        (34, 0.033, True, Verdict.DIFFERS),
        (34, None, True, Verdict.SHOWN),
    ],
)
def test_chance_may_move_a_drawn_share_and_no_planned_one(count, expected, is_exact, verdict):
    bars = (Bar(label="one", count=count, total=1_000, expected=expected),)
    assert Distribution(name="one", title="One", bars=bars, is_exact=is_exact).verdict is verdict
