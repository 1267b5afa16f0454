"""The quickstart and the runbooks, typed in line by line: what they say is what happens."""

import json
import os
import re
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from sealed_manifests import write_manifest
from seed_runs import begun, held_shard, lean_plan
from seeded import PASSWORD, open_one_session
from small_manifests import SMALL
from transcripts import Shell
from warm_commands import seed_data_at

from seed_pipelines.control import data_keys, roles
from seed_pipelines.manifest.seal import sealed_text
from seed_pipelines.outside.vault import Vault

pytest_plugins = ("openbao",)

DOCS = Path(__file__).parents[2] / "docs"
README = DOCS.parent / "README.md"
PAGES = (
    *("new-tenant", "failed-run", "stuck-lease", "budget-used-up", "worm-down", "restore-from-dr", "purge"),
    *("upgrade", "rollback"),
)
# What these pages call the run and the dataset that were there before.
RUN = "5c25c99d-7dbd-4428-a600-7827af93fe72"
HASH = "2e4681280469efe15a50bfc22fc5a40d1dd5013c1e93abbcf99d580fc92ea45b"
QUICK = SMALL | {"backoff": {"max_retries": 0}}
CUSTOMERS_KEPT = (
    "CREATE TABLE app.favourites (tenant_id uuid, customer_id bigint,"
    " FOREIGN KEY (tenant_id, customer_id) REFERENCES app.customers (tenant_id, id));"
    " GRANT SELECT ON app.favourites TO seed_owner;"
    " INSERT INTO app.favourites SELECT tenant_id, id FROM app.customers LIMIT 1"
)


@pytest.fixture(scope="module")
def warm(open_session_directory):
    folder = open_session_directory / "warm-commands"
    folder.mkdir()
    with seed_data_at(folder):
        yield folder


@pytest.fixture
def shell(warm, open_directory):
    """A folder with manifests and nothing else, and a shell in it; outside of CI, where the local key may mask."""
    write_manifest(open_directory / "manifests", **QUICK)
    write_manifest(open_directory / "manifests", tenant="globex", mode="dr", **QUICK)
    environment = {"PATH": f"{warm}{os.pathsep}{os.environ['PATH']}", "CI": "", "COLUMNS": "200"}
    return Shell(folder=open_directory, environment=environment)


@dataclass(kw_only=True)
class Scene:
    """What happens outside of a runbook, by the name that its page gives it."""

    shell: Shell
    seeded: object
    ending: ExitStack = field(default_factory=ExitStack)

    def play(self, page):
        text = (DOCS / page).read_text()
        self.shell.export(SEED_DATABASE_URL=self.seeded.loader_url)
        self.shell.play(text, self)

    def __getitem__(self, name):
        return getattr(self, name.lower().replace(" ", "_"))

    def change(self, tenant, *, sealed=True, **sections):
        """Other limits in a manifest, which the seal knows of or not."""
        file = self.shell.folder / f"manifests/dev/{tenant}.yaml"
        data = json.loads(file.read_text())
        for name, values in sections.items():
            data[name] |= values
        text = json.dumps(data, indent=2)
        file.write_text(sealed_text(text) if sealed else text)

    def publish(self, name):
        """A dataset of acme; its seed run and hash are known to the page as `name` and as the usual hash."""
        ended = self.run_acme()
        self.shell.names |= {name: ended["seed_run_id"], HASH: ended["dataset_hash"]}

    def run_acme(self):
        return json.loads(self.shell.run("seed-data run dev/acme.yaml --json 2>/dev/null"))

    def as_superuser(self, statement):
        with self.seeded.superuser() as connection:
            connection.execute(statement)

    def loans_cannot_be_written(self):
        self.as_superuser("ALTER TABLE seed_control.checkpoint ADD CONSTRAINT broken CHECK (entity <> 'loans')")

    def loans_can_be_written(self):
        self.as_superuser("ALTER TABLE seed_control.checkpoint DROP CONSTRAINT broken")

    def another_run_holds_the_lease(self):
        session = self.ending.enter_context(open_one_session(self.seeded.loader_url, self.shell.folder))
        plan = lean_plan(customers=5)
        held_shard(session, plan, begun(session, plan))

    def the_lease_runs_out(self):
        self.ending.close()
        self.as_superuser("UPDATE seed_control.lease SET lease_until = now() - interval '2 minutes'")

    def rows_are_dear(self):
        self.change("acme", budget={"cost_cap_brl": 0.01})
        self.shell.export(SEED_PRICE_MILLION_ROWS_BRL="999")

    def the_cap_is_raised(self):
        self.change("acme", sealed=False, budget={"cost_cap_brl": 5000})

    def every_batch_is_slow(self):
        self.change("globex", slo={"p95_target_ms": 1, "p99_target_ms": 1}, budget={"error_budget_pct": 0})

    def no_batch_is_slow(self):
        self.change("globex", slo={"p95_target_ms": 60000, "p99_target_ms": 60000})

    def vault_is_away(self):
        self.shell.export(SEED_VAULT_ADDR="http://127.0.0.1:9", SEED_VAULT_TOKEN="nobody")

    def the_store_is_away(self):
        nobody = {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "nothing", "AWS_DEFAULT_REGION": "us-east-1"}
        self.shell.export(
            SEED_WORM_URL="s3://seed-reports/evidence", AWS_ENDPOINT_URL_S3="http://127.0.0.1:9", **nobody
        )

    def the_store_is_back(self):
        self.shell.export(SEED_WORM_URL="")

    def the_dataset_was_published_and_is_lost(self):
        self.publish(RUN)
        self.shell.run("seed-data dataset purge --tenant acme --yes")

    def the_dataset_is_published(self):
        self.publish(RUN)

    def the_application_refers_to_it(self):
        self.as_superuser(CUSTOMERS_KEPT)

    def the_application_refers_to_it_no_more(self):
        self.as_superuser("DROP TABLE app.favourites")

    def a_migration_is_pending(self):
        self.as_superuser("DROP SCHEMA app_opened CASCADE")
        self.as_superuser("DELETE FROM seed_control.migration WHERE name LIKE '0051%'")
        self.shell.export(SEED_MIGRATOR_URL=self.seeded.url(roles.MIGRATOR))

    def a_wrong_version_was_published(self):
        self.publish(RUN)
        self.change("acme", metadata={"version": "1.1.0"})
        self.run_acme()

    def the_earlier_manifest_is_back(self):
        self.change("acme", metadata={"version": "1.0.0"})


@pytest.fixture
def scene(shell, seeded):
    scene = Scene(shell=shell, seeded=seeded)
    with scene.ending:
        yield scene


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_a_runbook_does_what_it_says(scene, page):
    scene.play(f"runbooks/{page}.md")


@pytest.mark.slow
@pytest.mark.parametrize("page", ["vault-down", "rotate-keys"])
def test_a_runbook_about_vault_does_what_it_says(scene, page, own_vault_server):
    for environment in ("dev", "staging"):
        own_vault_server.make_mask_key(environment, "acme")
        own_vault_server.client().secrets.transit.create_key(f"seed-report-{environment}", key_type="rsa-3072")
    with scene.seeded.connection() as connection, Vault(own_vault_server.settings()) as session:
        data_keys.data_key_of(connection, session, environment="staging", tenant="acme")
    there = {"SEED_VAULT_ADDR": own_vault_server.addr, "SEED_VAULT_TOKEN": own_vault_server.settings().token}
    scene.vault_is_there = scene.vault_is_back = lambda: scene.shell.export(**there)
    scene.play(f"runbooks/{page}.md")


@pytest.fixture
def own_server(shell):
    """A shell whose embedded server is its own, and is taken away whatever happens."""
    yield shell
    shell.run("seed-data db remove --yes")


@pytest.mark.slow
def test_the_quickstart_does_what_it_says(own_server):
    (own_server.folder / "manifests/dev/globex.yaml").unlink()
    own_server.play((DOCS / "quickstart.md").read_text(), {})


@pytest.mark.slow
def test_the_commands_of_the_readme_run(own_server):
    commands = re.search(r"## Commands\n\n```\n(.*?)```", README.read_text(), re.DOTALL).group(1).splitlines()
    assert len(commands) >= 7
    file = "FILE=$(ls .seed/reports/worm/seeds/dev/globex/*.json) SEED_REPORT_PUBLIC_KEY=.seed/report-signing.pub.pem"
    for line in commands:
        command = line.split("  #")[0].strip()
        if command.endswith(" ID"):
            # The only seed run has ended: there is nothing to cancel.
            (newest,) = json.loads(own_server.run("seed-data status --json"))
            own_server.run(command.replace(" ID", f" {newest['id']}"), exit_code=3)
        else:
            own_server.run(f"export {file}; {command.replace(' FILE', ' $FILE')}" if "FILE" in command else command)


@pytest.fixture
def a_turn_at_the_roles(postgres_server):
    """Roles belong to the whole server: workers take turns at making them, as for the template."""
    with psycopg.connect(postgres_server.superuser_dsn, autocommit=True) as administrator:
        administrator.execute("SELECT pg_advisory_lock(4711)")
        yield


@pytest.mark.slow
@pytest.mark.usefixtures("seeded_template", "a_turn_at_the_roles")
def test_the_first_installation_does_what_it_says(shell, empty_database):
    shell.export(
        SEED_ADMIN_URL=empty_database.superuser_dsn,
        SEED_MIGRATOR_URL=empty_database.dsn(roles.MIGRATOR, PASSWORD),
        SEED_DATABASE_URL=empty_database.dsn(roles.LOADER, PASSWORD),
    )
    shell.play((DOCS / "runbooks/first-installation.md").read_text(), {})


def test_every_runbook_is_typed_in():
    typed = {*PAGES, "vault-down", "rotate-keys", "first-installation", "index"}
    assert typed == {page.stem for page in (DOCS / "runbooks").glob("*.md")}
