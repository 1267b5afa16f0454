"""Keys: derived the same everywhere, shown nowhere, and never taken from this machine outside dev."""

import itertools
import pickle
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from seed_pipelines.errors import MaskKeyDiverged, MaskKeyUnavailable
from seed_pipelines.mask.keys import FieldKeys, KeyOrigin, mask_keys

PRK = bytes(range(32))


def make_keys(*, prk=PRK, environment="dev", tenant="acme", key_version=1):
    return FieldKeys(
        prk, environment=environment, tenant=tenant, origin=KeyOrigin(source="given", key_version=key_version)
    )


def local_keys(path, *, environment="dev", ci=False):
    return mask_keys(environment, "acme", vault=None, env_local=path, ci=ci)


def secrets_of(column):
    return {column.ff1, column.digest, column.pgp.passphrase, column.pgp.lead_key, column.pgp.salt}


def test_keys_are_the_same_in_every_process():
    column = make_keys().column("customers", "name")
    assert column == make_keys().column("customers", "name")
    # Changing the derivation changes every pseudonym that exists.
    assert column.ff1.hex() == "082d981911327cac6ca842abd8bb22da5de50d0656bd799cf093f99af92c16f3"
    assert column.digest.hex() == "aa1588733ce03b58111288bd758e7fc18dacc0400a7ac469afdd6dc1d82c62d1"
    assert column.pgp.passphrase == "181e1b76c78279c0ecb3d4a38aff8697619aa834a73cfb750c94175b53d27ca0"


def test_every_purpose_and_column_has_its_own_key():
    columns = [("customers", "name"), ("customers", "email"), ("users", "name"), ("user", "s.name"), ("", "users.name")]
    keys = make_keys()
    distinct = [secrets_of(keys.column(*names)) for names in columns[:4]]
    assert all(len(secrets) == 5 for secrets in distinct)
    assert all(not one & other for one, other in itertools.combinations(distinct[:3], 2))


@pytest.mark.parametrize(
    "other",
    [{"environment": "staging"}, {"tenant": "beta"}, {"key_version": 2}, {"prk": bytes(32)}],
    ids=lambda o: next(iter(o)),
)
def test_another_environment_tenant_version_or_secret_has_other_keys(other):
    assert not secrets_of(make_keys().column("customers", "name")) & secrets_of(
        make_keys(**other).column("customers", "name")
    )


def test_a_data_key_encrypts_at_rest_and_changes_no_mask_and_no_digest():
    derived = make_keys().column("customers", "name")
    with FieldKeys(PRK, environment="dev", tenant="acme", data_key=bytes(32)) as keys:
        column = keys.column("customers", "name")
    assert (column.ff1, column.digest) == (derived.ff1, derived.digest)
    assert not {column.pgp.passphrase, column.pgp.salt, column.pgp.lead_key} & secrets_of(derived)
    # Changing the derivation closes every column that is encrypted.
    assert column.pgp.passphrase == "54c8eb9743b3806858efbfe577ebc8504731767a4d5062de362d4428b765a71c"


@pytest.mark.parametrize(
    ("key_check", "data_key_check"), [("0" * 16, None), (make_keys().key_check, "0" * 16)], ids=["mask", "data"]
)
def test_keys_that_are_not_those_that_a_seed_run_began_with_are_told_apart(key_check, data_key_check):
    make_keys().assert_same(make_keys().key_check, data_key_check=None)
    with pytest.raises(MaskKeyDiverged):
        make_keys().assert_same(key_check, data_key_check=data_key_check)


def test_names_do_not_run_into_each_other():
    one = make_keys(environment="dev", tenant="a-dev").column("customers", "name")
    other = make_keys(environment="dev-dev", tenant="a").column("customers", "name")
    assert not secrets_of(one) & secrets_of(other)


def test_the_key_check_names_the_secret_and_only_the_secret():
    assert make_keys().key_check == make_keys(tenant="beta").key_check
    assert make_keys().key_check != make_keys(prk=bytes(32)).key_check
    assert len(make_keys().key_check) == 16


def test_no_text_form_shows_a_key():
    keys = make_keys()
    column = keys.column("customers", "name")
    for text in map(str, (keys, column, column.pgp)):
        assert PRK.hex() not in text
        assert not [secret for secret in (column.ff1, column.digest) if secret.hex() in text or repr(secret) in text]
        assert column.pgp.passphrase not in text


def test_keys_cannot_be_pickled():
    with pytest.raises(TypeError, match="stay in the process"):
        pickle.dumps(make_keys())


def test_closed_keys_derive_nothing():
    with make_keys() as keys:
        keys.column("customers", "name")
    with pytest.raises(ValueError, match="closed"):
        keys.column("customers", "name")


def test_a_secret_of_another_size_is_refused():
    with pytest.raises(ValueError, match="32 bytes, not 31"):
        make_keys(prk=PRK[:31])


def test_dev_makes_its_key_once_and_for_its_owner_only(tmp_path):
    path = tmp_path / "home" / ".env.local"
    first, second = local_keys(path), local_keys(path)
    assert first.key_check == second.key_check
    assert first.origin == KeyOrigin(source="env_local", key=None, key_version=1)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_processes_that_start_together_end_with_one_key(tmp_path):
    path = tmp_path / ".env.local"
    with ThreadPoolExecutor(8) as threads:
        checks = set(threads.map(lambda _: local_keys(path).key_check, range(64)))
    assert len(checks) == 1


@pytest.mark.parametrize("existing", ["", "OTHER=1\n", "OTHER=1", "# SEED_DEV_MASK_KEY=ab\r\n"])
def test_a_file_without_the_key_keeps_its_lines_and_gets_one(tmp_path, existing):
    path = tmp_path / ".env.local"
    path.touch(0o600)
    path.write_bytes(existing.encode())
    assert local_keys(path).key_check == local_keys(path).key_check
    assert path.read_bytes().startswith(existing.encode())


def test_the_key_in_the_file_is_the_one_that_is_used(tmp_path):
    path = tmp_path / ".env.local"
    path.touch(0o600)
    path.write_text(f"A=1\nSEED_DEV_MASK_KEY={PRK.hex()}\nB=2\n")
    assert local_keys(path).key_check == make_keys().key_check


@pytest.mark.parametrize("value", ["", "12", "zz" * 32, "0" * 63, "0" * 66])
def test_a_key_that_is_none_is_refused_and_not_replaced(tmp_path, value):
    path = tmp_path / ".env.local"
    path.touch(0o600)
    path.write_text(f"SEED_DEV_MASK_KEY={value}\n")
    with pytest.raises(MaskKeyUnavailable, match="not 64 hexadecimal digits") as refusal:
        local_keys(path)
    # A short value may stand in the file's path by chance.
    assert len(value) < 8 or value not in str(refusal.value)
    assert path.read_text() == f"SEED_DEV_MASK_KEY={value}\n"


def test_a_file_that_others_can_read_is_refused(tmp_path):
    path = tmp_path / ".env.local"
    local_keys(path)
    path.chmod(0o640)
    with pytest.raises(MaskKeyUnavailable, match="others than its owner"):
        local_keys(path)


def test_a_symbolic_link_is_refused(tmp_path):
    local_keys(tmp_path / "real")
    (tmp_path / ".env.local").symlink_to(tmp_path / "real")
    with pytest.raises(MaskKeyUnavailable):
        local_keys(tmp_path / ".env.local")


@pytest.mark.parametrize(
    ("environment", "ci", "limit"),
    [
        ("staging", False, "outside environment dev"),
        ("prod", False, "outside environment dev"),
        ("dev", True, "under CI"),
    ],
)
def test_without_vault_only_dev_on_a_laptop_has_a_key(tmp_path, environment, ci, limit):
    path = tmp_path / ".env.local"
    with pytest.raises(MaskKeyUnavailable, match=limit):
        local_keys(path, environment=environment, ci=ci)
    assert not path.exists()
