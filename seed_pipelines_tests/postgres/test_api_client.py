"""The client and `--remote` against the API itself: a real server on a real database, one for the module.

Nothing launches runs here; what has to be there is put into the database as a worker would.
"""

import json
import socket
import threading
import time
from contextlib import ExitStack, contextmanager
from uuid import uuid4

import pytest
from factories import manifest_data
from seed_runs import begun, lean_plan, run_all
from seeded import new_database, open_one_session
from served_api import served
from typer.testing import CliRunner

from seed_pipelines.api.app import create_app, service_for
from seed_pipelines.api.client import SeedClient, Whose
from seed_pipelines.api.contract import SeedRunRequest
from seed_pipelines.cli import remote, show
from seed_pipelines.cli.main import app
from seed_pipelines.cli.run_command import Wish
from seed_pipelines.control import budget, checkpoints, outbox, roles, runs
from seed_pipelines.errors import (
    ApiUnavailable,
    DagsterUnavailable,
    Forbidden,
    ManifestRejected,
    NotOverHttp,
    ReportNotWritten,
    SeedRunEnded,
    SeedRunNotFound,
    SettingNotUsable,
    TenantNotNamed,
    Unauthenticated,
)
from seed_pipelines.evidence.deliver import deliver_waiting
from seed_pipelines.manifest.normal_form import as_yaml
from seed_pipelines.manifest.seal import sealed_text
from seed_pipelines.outside import token_key_file
from seed_pipelines.outside.report_store import read_report
from seed_pipelines.session import Installation
from seed_pipelines.settings import from_environment

ACME, GLOBEX = Whose(tenant="acme", environment="dev"), Whose(tenant="globex", environment="dev")
MANIFEST = sealed_text(as_yaml(manifest_data(customers=4)))


@pytest.fixture(scope="module")
def place(postgres_server, seeded_template, tmp_path_factory):
    """A database with a published seed run of acme, and one of globex that waits for its worker."""
    home = tmp_path_factory.mktemp("api-home")
    manifest = home / "manifests/dev/acme.yaml"
    manifest.parent.mkdir(parents=True)
    manifest.write_text(MANIFEST)
    with new_database(postgres_server, seeded_template) as database, ExitStack() as opened:
        acme = opened.enter_context(open_one_session(database.loader_url, home))
        published = run_all(acme, lean_plan(customers=4)).run
        globex = opened.enter_context(open_one_session(database.loader_url, home, tenant="globex"))
        waiting = begun(globex, lean_plan(customers=4, tenant="globex"))
        yield {"database": database, "home": home, "published": published, "waiting": waiting}


@contextmanager
def api_of(place, **environment):
    """The API on a port of its own."""
    database = place["database"]
    environ = {
        "SEED_HOME": str(place["home"]),
        "SEED_MANIFESTS_DIR": str(place["home"] / "manifests"),
        "SEED_DATABASE_URL": database.loader_url,
        "SEED_API_DATABASE_URL": database.url(roles.API),
        # Nobody listens there.
        "SEED_DAGSTER_URL": "http://127.0.0.1:9",
    }
    with served(create_app(service_for(Installation.of(from_environment(environ | environment))))) as address:
        yield address


@pytest.fixture(scope="module")
def url(place):
    with api_of(place) as address:
        yield address


def token(place, *roles_held):
    return token_key_file.token_of(
        place["home"], subject="me", roles=roles_held or ("developer",), issued_at=int(time.time()), seconds=600
    )


@pytest.fixture
def client(place, url):
    with SeedClient(url, token=token(place)) as opened:
        yield opened


def test_a_seed_run_is_read_with_its_etag_and_not_again_while_it_is_the_same(client, place):
    found = client.run(place["published"].id, ACME)
    assert (found.run.status, found.run.rows) == ("published", place["published"].planned_rows)
    assert found.etag
    assert client.run_unless(found, ACME) is found


def test_the_list_goes_on_over_pages_and_shows_one_tenant(client, place):
    assert [run.seed_run_id for run in client.runs(ACME)] == [place["published"].id]
    assert [run.seed_run_id for run in client.runs(GLOBEX, status="published")] == []
    assert [run.seed_run_id for run in client.runs(GLOBEX)] == [place["waiting"].id]


def test_a_manifest_is_looked_at_and_every_problem_is_told_with_its_line(client):
    valid = client.validate(MANIFEST.encode(), ACME)
    assert (valid.valid, valid.normalized_version) == (True, "1.0.0")
    with pytest.raises(ManifestRejected) as refused:
        client.validate(MANIFEST.replace('mode: "baseline"', "mode: weekly").encode(), ACME)
    line = MANIFEST[: MANIFEST.index("mode: ")].count("\n") + 1
    assert f"line {line}, /mode: " in str(refused.value)
    assert (line, "/mode", "not-one-of") in {
        (problem.line, problem.pointer, problem.rule) for problem in refused.value.problems
    }


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda client, place: client.run(uuid4(), ACME), SeedRunNotFound),
        (lambda client, place: client.run(place["published"].id, GLOBEX), SeedRunNotFound),
        (lambda client, place: list(client.events(uuid4(), ACME)), SeedRunNotFound),
        (lambda client, place: client.cancel(place["published"].id, ACME), SeedRunEnded),
        (lambda client, place: client.run(uuid4(), Whose(tenant="acme", environment="staging")), Forbidden),
    ],
)
def test_a_problem_is_raised_as_the_error_that_it_was(client, place, call, error):
    with pytest.raises(error) as raised:
        call(client, place)
    assert str(raised.value).startswith("cannot ")


def test_a_run_that_cannot_be_launched_says_why_after_the_attempts_that_the_api_asks_for(client, monkeypatch):
    waited = []
    monkeypatch.setattr(time, "sleep", waited.append)
    request = SeedRunRequest(manifest_path="dev/acme.yaml", mode="baseline", ignore_window=True)
    with pytest.raises(DagsterUnavailable):
        client.start(request, ACME)
    assert len([seconds for seconds in waited if seconds >= 1]) == 3


def test_whoever_has_no_good_token_is_told_so_and_no_more(url, place):
    for bad in (None, "", "a.b.c", token(place)[:-5] + "AAAAA"):
        with pytest.raises(Unauthenticated), SeedClient(url, token=bad) as nobody:
            nobody.run(place["published"].id, ACME)
    with pytest.raises(Forbidden), SeedClient(url, token=token(place, "visitor")) as visitor:
        visitor.run(place["published"].id, ACME)


def test_a_quota_that_is_used_up_is_waited_for(place):
    with api_of(place, SEED_API_QUOTA="2/2") as address, SeedClient(address, token=token(place, "developer")) as client:
        began = time.monotonic()
        for _ in range(4):
            client.run(place["published"].id, ACME)
        assert time.monotonic() - began >= 1


def test_what_is_for_this_machine_goes_through_no_proxy(place, url, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        for name in ("HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.getsockname()[1]}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        with SeedClient(url, token=token(place)) as client:
            assert client.run(place["published"].id, ACME).run.status == "published"
        proxy.setblocking(False)
        with pytest.raises(BlockingIOError):
            proxy.accept()


@pytest.mark.parametrize("address", ["http://seed.example.com", "ftp://127.0.0.1", "seed.example.com", "file:///etc"])
def test_a_token_is_not_sent_where_others_can_read_it(address):
    with pytest.raises(SettingNotUsable):
        SeedClient(address, token="a.b.c")


def test_what_is_not_this_api_is_told_so(place):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    with (
        pytest.raises(ApiUnavailable, match="ConnectError"),
        SeedClient(f"http://127.0.0.1:{port}", token="x") as client,
    ):
        client.run(uuid4(), ACME)
    with api_of(place) as address, SeedClient(f"{address}/elsewhere", token="x") as client:
        with pytest.raises(Exception, match="cannot") as told:
            client.run(uuid4(), ACME)
        assert told.value.code in ("route-not-found", "api-unavailable")


@pytest.fixture
def here(place, url, monkeypatch):
    """The command line of somebody who has only the address and a token."""
    monkeypatch.setenv("SEED_API_TOKEN", token(place))
    monkeypatch.setenv("SEED_MANIFESTS_DIR", str(place["home"] / "manifests"))
    return url


def test_the_status_of_a_run_is_the_same_over_http(here, place, capsys):
    remote.status_there(here, str(place["published"].id), ACME, as_json=True)
    over_http = json.loads(capsys.readouterr().out)
    with place["database"].connection() as connection:
        run = runs.find(connection, place["published"].id)
        shards, rows = runs.shards_of(connection, run.id), checkpoints.rows_of(connection, run)
        show.one_run(show.run_object(run, shards, rows, spending=budget.spending_of(connection, run)), as_json=True)
    assert over_http == json.loads(capsys.readouterr().out)


def test_the_list_is_the_same_over_http(here, place, capsys):
    remote.status_there(here, None, ACME, as_json=True)
    over_http = json.loads(capsys.readouterr().out)
    with place["database"].connection() as connection:
        show.runs(runs.recent(connection, environment="dev", tenant="acme"), as_json=True)
    assert over_http == json.loads(capsys.readouterr().out)


def test_a_run_that_has_ended_is_watched_to_its_end_at_once(here, place, capsys):
    assert remote.watch_there(here, str(place["published"].id), ACME, as_json=True) == 0
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (last["state"], last["rows"]) == ("published", last["planned_rows"])


def test_a_run_is_watched_while_somebody_else_cancels_it(here, place, capsys):
    waiting = place["waiting"]

    def cancel():
        time.sleep(1)
        with SeedClient(here, token=token(place)) as client:
            assert client.cancel(waiting.id, GLOBEX).seed_run_id == waiting.id

    canceller = threading.Thread(target=cancel)
    canceller.start()
    code = remote.watch_there(here, str(waiting.id), GLOBEX, as_json=True)
    canceller.join()
    states = [json.loads(line)["state"] for line in capsys.readouterr().out.splitlines()]
    assert (code, states[0], states[-1]) == (5, "queued", "cancelled")


def wish(**changes):
    none = {"shard": None, "idempotency_key": None, "reseed": False, "wait_for_window": False, "wait": False}
    return Wish(**(none | {"ignore_window": True} | changes))


@pytest.mark.parametrize("option", [{"shard": "0000"}, {"wait": True}, {"wait_for_window": True}])
def test_what_the_api_has_nothing_like_is_refused_before_anything_is_sent(here, option):
    with pytest.raises(NotOverHttp):
        remote.run_there(here, "dev/acme.yaml", wish(**option), dry_run=False, as_json=True)


@pytest.mark.parametrize("key", ['a"b', "a\\b", "é", "a b", "x" * 201])
def test_a_key_that_no_header_can_hold_is_refused(here, key):
    with pytest.raises(SettingNotUsable, match="--idempotency-key"):
        remote.run_there(here, "dev/acme.yaml", wish(idempotency_key=key), dry_run=False, as_json=True)


def test_a_rehearsal_over_http_says_what_a_run_would_do(here, capsys):
    assert remote.run_there(here, "dev/acme.yaml", wish(), dry_run=True, as_json=True) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["dry_run"]
    assert {entity["entity"]: entity["rows"] for entity in found["entities"]}["customers"] == 4


def test_manifests_are_checked_over_http_each_with_its_problems_and_their_lines(here, place, tmp_path):
    folder = tmp_path / "manifests/dev"
    folder.mkdir(parents=True)
    (folder / "acme.yaml").write_text(MANIFEST)
    (folder / "other.yaml").write_text(MANIFEST)
    (folder / "wrong.yaml").write_text(MANIFEST.replace('mode: "baseline"', "mode: weekly"))
    (folder / "gone.yaml").symlink_to("/etc/hostname")
    checked = remote.check_there(here, (tmp_path / "manifests",))
    assert len(checked.sources) == 4
    line = MANIFEST[: MANIFEST.index("mode: ")].count("\n") + 1
    found = {(problem.source.rsplit("/", 1)[1], problem.line, problem.rule) for problem in checked.problems}
    assert found >= {
        ("other.yaml", 1, "tenant-differs"),
        ("wrong.yaml", line, "not-one-of"),
        ("gone.yaml", 1, "path-outside-manifests"),
    }
    assert "acme.yaml" not in {name for name, _, _ in found}


def test_a_report_comes_over_http_as_it_was_written(here, place, client, monkeypatch):
    run, home = place["published"], str(place["home"])
    with pytest.raises(ReportNotWritten):
        client.report(run.id, ACME)
    monkeypatch.setenv("SEED_HOME", home)
    installation = Installation.of(from_environment({"SEED_HOME": home}))
    with place["database"].connection() as connection:
        deliveries = deliver_waiting(connection, store_of=installation.report_store, signer_of=installation.signer)
        assert {each.error for each in deliveries} == {None}
        uri = outbox.place_of(connection, run.id).uri
    assert client.report(run.id, ACME) == read_report(uri)
    shown = CliRunner().invoke(
        app, ["report", "show", str(run.id), "--environment", "dev", "--tenant", "acme", "--remote", here]
    )
    assert (shown.exit_code, str(run.id) in shown.output) == (0, True), shown.output
    assert "Verified by the API" in shown.output


@pytest.mark.parametrize(("tenant", "environment"), [(None, "dev"), ("acme", None), (None, None)])
def test_the_api_has_to_be_told_whose_runs_are_meant(tenant, environment):
    with pytest.raises(TenantNotNamed):
        remote.whose(tenant, environment)
