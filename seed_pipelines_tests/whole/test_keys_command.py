"""`seed-data keys` in a process of its own, against a real OpenBao."""

import json
import subprocess
import sys

import pytest

from seed_pipelines.control import data_keys
from seed_pipelines.mask.keys import mask_keys
from seed_pipelines.outside.vault import Vault

pytest_plugins = ("openbao",)

RUN = "import sys; from seed_pipelines.cli.main import app, main; sys.argv[0] = 'seed-data'; main()"


@pytest.fixture(scope="module")
def vault(vault_server):
    vault_server.make_mask_key("staging", "keyring")
    vault_server.client().secrets.transit.create_key("seed-report-staging", key_type="rsa-3072")
    return vault_server


@pytest.fixture
def keys(vault, tmp_path, seeded):
    def run(*arguments, **variables):
        environment = {
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": ":".join(sys.path),
            "SEED_HOME": str(tmp_path),
            "SEED_DATABASE_URL": seeded.loader_url,
            "SEED_VAULT_ADDR": vault.addr,
            "SEED_VAULT_TOKEN": vault.settings().token,
        }
        command = [sys.executable, "-c", RUN, "keys", *arguments]
        return subprocess.run(
            command, env=environment | variables, cwd=tmp_path, capture_output=True, text=True, check=False
        )

    return run


def test_status_shows_what_a_report_will_say_of_the_key(keys, vault, tmp_path):
    done = keys("status", "staging", "keyring", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    with mask_keys("staging", "keyring", vault=vault.settings(), env_local=tmp_path / "none", ci=True) as wanted:
        assert found["key_check"] == wanted.key_check
    assert (found["key"], found["kind"], found["pinned_version"]) == ("seed-staging-keyring", "hmac", 1)
    assert (found["exportable"], found["deletion_allowed"], found["doubts"]) == (False, False, [])
    assert found["signing_key"]["key"] == "seed-report-staging"
    assert len(found["signing_key"]["public_key_sha256"]) == 64


def test_a_rotation_moves_the_versions_on_and_every_key_stays_what_it_is(keys, vault, seeded):
    before = data_key(vault, seeded)
    status = json.loads(keys("status", "staging", "keyring", "--json").stdout)
    assert (status["data_key"]["key"], status["data_key"]["generation"]) == ("seed-staging-keyring.data", 1)
    rotated = keys("rotate", "staging", "keyring")
    assert rotated.returncode == 0, rotated.stderr
    newest = before.wrapped.key_version + 1
    assert "runs go on with version 1, which SEED_VAULT_KEY_VERSION pins: no masked value changes" in rotated.stdout
    assert f"the data key is wrapped at version {newest} (generation 2)" in rotated.stdout
    after = json.loads(keys("status", "staging", "keyring", "--json").stdout)
    assert (after["latest_version"], after["key_check"]) == (status["latest_version"] + 1, status["key_check"])
    assert (after["data_key"]["wrapped_version"], after["data_key"]["generation"]) == (newest, 2)
    assert after["data_key"]["key_check"] == status["data_key"]["key_check"]
    assert data_key(vault, seeded).secret == before.secret
    newer = json.loads(keys("status", "staging", "keyring", "--json", SEED_VAULT_KEY_VERSION="2").stdout)
    assert newer["key_check"] not in (None, status["key_check"])


def data_key(vault, seeded):
    with seeded.connection() as connection, Vault(vault.settings()) as session:
        return data_keys.data_key_of(connection, session, environment="staging", tenant="keyring")


def test_without_the_database_nothing_is_rotated(keys, vault):
    def version():
        return vault.client().secrets.transit.read_key("seed-staging-keyring.data")["data"]["latest_version"]

    before = version()
    refused = keys("rotate", "staging", "keyring", SEED_DATABASE_URL="postgresql://seed_loader@127.0.0.1:9/none")
    assert (refused.returncode, "database-unavailable" in refused.stderr) == (4, True), refused.stderr
    assert version() == before


def test_the_signing_key_is_rotated_only_when_it_is_asked_for(keys):
    before = json.loads(keys("status", "staging", "keyring", "--json").stdout)
    assert keys("rotate", "staging", "keyring", "--signing").returncode == 0
    after = json.loads(keys("status", "staging", "keyring", "--json").stdout)
    assert after["signing_key"]["latest_version"] == before["signing_key"]["latest_version"] + 1
    assert after["signing_key"]["public_key_sha256"] != before["signing_key"]["public_key_sha256"]
    assert after["latest_version"] == before["latest_version"]


def test_status_exits_with_3_where_a_run_would_be_refused(keys):
    done = keys("status", "staging", "keyring", SEED_VAULT_KEY_VERSION="99")
    assert done.returncode == 3
    assert "a run would be refused: Vault has no such version of it" in done.stderr


@pytest.mark.parametrize("command", ["status", "rotate"])
def test_a_key_that_is_not_there_is_refused_and_not_made(keys, vault, command):
    done = keys(command, "staging", "nobody")
    assert done.returncode == 3
    assert "vault-refused: cannot read the key seed-staging-nobody" in done.stderr
    assert "seed-staging-nobody" not in vault.client().secrets.transit.list_keys()["data"]["keys"]


def test_without_vault_there_is_nothing_to_show(keys):
    done = keys("status", "dev", "acme", SEED_VAULT_ADDR="")
    assert done.returncode == 3
    assert "mask-key-unavailable: cannot mask dev/acme: no Vault is set" in done.stderr


def test_no_output_holds_the_token_or_a_key(keys, vault, tmp_path):
    said = keys("status", "staging", "keyring").stdout + keys("rotate", "staging", "keyring", "--json").stdout
    assert vault.settings().token not in said
    with mask_keys("staging", "keyring", vault=vault.settings(), env_local=tmp_path / "none", ci=True) as wanted:
        assert bytes(wanted._prk).hex() not in said
