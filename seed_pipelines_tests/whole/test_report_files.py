"""Reports in a folder: written once, whole or not at all, and never outside of it."""

import multiprocessing
import stat
from pathlib import Path

import pytest
from report_factory import make_evidence, make_public_pem, make_signer

from seed_pipelines.errors import (
    ReportDiverges,
    ReportNotFound,
    ReportNotStored,
    ReportNotVerified,
    ReportStoreNotReady,
    SigningKeyUnavailable,
)
from seed_pipelines.evidence import report as report_module
from seed_pipelines.evidence.facts import Problem
from seed_pipelines.evidence.report import envelope_of, report_of
from seed_pipelines.evidence.signature import DevSigner, Signature, SigningKey, public_key_sha256, public_pem
from seed_pipelines.evidence.verify import payload_of, verify_envelope
from seed_pipelines.evidence.worm import preserve
from seed_pipelines.outside.report_files import FileStore
from seed_pipelines.outside.report_key_file import PRIVATE_KEY_NAME, PUBLIC_KEY_NAME, development_key
from seed_pipelines.outside.report_store import open_report_store, read_report, report_key, sha256_of

KEY = report_key(environment="dev", tenant="acme", run_id="run-1")


class Rotated:
    """One key in Vault, which signs with one of its versions and knows the public halves of all."""

    is_local = False

    def __init__(self, version):
        self.version = version

    @property
    def identity(self):
        public = public_key_sha256(self.public_key_pem)
        return SigningKey(
            algorithm="RSASSA-PSS-SHA256", key="seed-report-dev", key_version=self.version, public_key_sha256=public
        )

    @property
    def public_key_pem(self):
        return self.public_key_pem_at(self.version)

    def public_key_pem_at(self, key_version):
        return make_public_pem(f"version-{key_version}")

    def sign(self, digest):
        return Signature(signed_by=self.identity, value=make_signer(f"version-{self.version}").sign(digest).value)

    def forge(self, version):
        digest = report_of(make_evidence(), signed_by=Rotated(version).identity).digest
        return Signature(signed_by=Rotated(version).identity, value=self.sign(digest).value)


def make_problem(*, title="The window closed.", detail="at [06:00] UTC"):
    return Problem(type="urn:x", title=title, status=409, detail=detail)


@pytest.fixture
def store(tmp_path):
    return FileStore(tmp_path / "reports")


def files_of(store):
    return sorted(path for path in store.root.rglob("*") if path.is_file())


def keep(store, evidence=None):
    evidence = evidence if evidence is not None else make_evidence()
    return preserve(evidence, store=store, signer=make_signer(), public_key_pem=make_public_pem())


def test_a_report_lies_under_its_key_read_only_and_can_be_read_by_its_uri(store):
    stored = store.put(KEY, b"body")
    path = store.root / "worm/seeds/dev/acme/run-1.json"
    assert (stored.uri, stored.version_id, stored.sha256, stored.size) == (path.as_uri(), None, sha256_of(b"body"), 4)
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert store.get(stored.uri) == read_report(stored.uri) == read_report(str(path)) == b"body"


def test_the_same_bytes_again_are_a_success_and_one_file(store):
    assert store.put(KEY, b"body") == store.put(KEY, b"body")
    assert len(files_of(store)) == 1


def test_other_bytes_are_refused_and_the_first_stay(store):
    stored = store.put(KEY, b"first")
    with pytest.raises(ReportDiverges, match=sha256_of(b"first")):
        store.put(KEY, b"second")
    assert store.get(stored.uri) == b"first"
    assert len(files_of(store)) == 1


def write(store, body, barrier, outcomes):
    barrier.wait()
    try:
        store.put(KEY, body)
        outcomes.put((body, True))
    except ReportDiverges:
        outcomes.put((body, False))


def test_of_many_writers_exactly_one_wins_and_the_others_know(store):
    context = multiprocessing.get_context("spawn")
    barrier, outcomes = context.Barrier(4), context.Queue()
    bodies = [bytes([65 + number]) * 100_000 for number in range(4)]
    writers = [context.Process(target=write, args=(store, body, barrier, outcomes)) for body in bodies]
    for writer in writers:
        writer.start()
    found = dict(outcomes.get(timeout=60) for _ in writers)
    for writer in writers:
        writer.join()
    outcomes.close()
    outcomes.join_thread()
    (winner,) = [body for body, won in found.items() if won]
    assert [path.read_bytes() for path in files_of(store)] == [winner]


def test_what_a_crashed_writer_left_is_no_report_and_stops_nobody(store):
    folder = store.root / "worm/seeds/dev/acme"
    folder.mkdir(parents=True)
    (folder / ".run-1.json.0123456789abcdef").write_bytes(b"half a rep")
    uri = (folder / "run-1.json").as_uri()
    with pytest.raises(ReportNotFound):
        store.get(uri)
    assert store.put(KEY, b"body").uri == uri


@pytest.mark.parametrize("key", ["../out.json", "worm/../../out.json", "/etc/out.json", "worm/a\0b.json", ""])
def test_a_key_that_leads_out_is_refused(store, key):
    with pytest.raises(ReportNotFound):
        store.put(key, b"body")


@pytest.mark.parametrize("part", ["..", "a/b", "", "A", "a\n", "a:b", "x" * 64])
def test_a_tenant_that_is_no_name_makes_no_key(part):
    with pytest.raises(ValueError, match="part of a report's key"):
        report_key(environment="dev", tenant=part, run_id="run-1")


@pytest.mark.parametrize("link", ["worm", "worm/seeds/dev", "worm/seeds/dev/acme"])
def test_a_link_on_the_way_is_not_followed(store, tmp_path, link):
    outside = tmp_path / "outside"
    outside.mkdir()
    place = store.root / link
    place.parent.mkdir(parents=True)
    place.symlink_to(outside)
    with pytest.raises(ReportNotStored):
        store.put(KEY, b"body")
    assert not list(outside.iterdir())


def test_a_link_in_the_place_of_a_report_is_neither_read_nor_written_through(store, tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    place = store.root / KEY
    place.parent.mkdir(parents=True)
    place.symlink_to(secret)
    with pytest.raises(ReportNotVerified):
        store.get(place.as_uri())
    with pytest.raises(ReportNotStored):
        store.put(KEY, b"body")
    assert secret.read_bytes() == b"secret"


def test_a_uri_outside_of_the_folder_is_not_read(store, tmp_path):
    (tmp_path / "other.json").write_bytes(b"x")
    for uri in ((tmp_path / "other.json").as_uri(), store.root.as_uri() + "/../other.json", "https://a/b"):
        with pytest.raises(ReportNotFound):
            store.get(uri)


def test_preflight_makes_the_folder_and_leaves_nothing_in_it(store):
    store.preflight()
    assert not files_of(store)


def test_preflight_refuses_a_folder_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ReportStoreNotReady, match="SEED_WORM_URL"):
        FileStore(tmp_path / "file" / "reports").preflight()


def test_preflight_refuses_a_folder_that_nobody_may_write_not_even_root():
    with pytest.raises(ReportStoreNotReady):
        FileStore(Path("/proc/reports")).preflight()


@pytest.mark.parametrize("url", ["", "reports", "http://bucket", "s3://", "file://host/reports", "file:relative"])
def test_a_url_of_no_store_is_refused(url):
    with pytest.raises(ReportStoreNotReady, match="SEED_WORM_URL"):
        open_report_store(url)


def test_a_file_url_with_escapes_names_its_folder(tmp_path):
    folder = tmp_path / "re ports"
    stored = open_report_store(folder.as_uri()).put(KEY, b"body")
    assert (folder / KEY).read_bytes() == read_report(stored.uri) == b"body"


def test_a_preserved_report_is_verified_from_the_disk_alone(store):
    stored = keep(store)
    assert verify_envelope(read_report(stored.uri), public_key_pem=make_public_pem()).ok


def test_preserving_again_after_a_crash_gives_the_report_that_is_kept(store):
    first = keep(store)
    again = keep(store, make_evidence(previous_report_hash="f" * 64))
    assert again == first
    assert payload_of(store.get(first.uri))["previous_report_hash"] is None


def test_a_kept_report_that_says_something_else_is_an_alarm(store):
    keep(store)
    with pytest.raises(ReportDiverges):
        keep(store, make_evidence(dataset_hash="0" * 64))


def test_preserving_again_after_the_key_was_rotated_gives_the_report_that_is_kept(store):
    first = preserve(make_evidence(), store=store, signer=Rotated(1), public_key_pem=make_public_pem("version-1"))
    again = preserve(make_evidence(), store=store, signer=Rotated(2), public_key_pem=make_public_pem("version-2"))
    assert again == first
    assert verify_envelope(store.get(first.uri), public_key_pem=make_public_pem("version-1")).ok


def test_a_kept_report_that_another_key_signed_is_an_alarm_whatever_it_names(store):
    """It says that version 1 signed it, and version 3 did."""
    forged = envelope_of(report_of(make_evidence(), signed_by=Rotated(1).identity), signature=Rotated(3).forge(1))
    store.put(report_key(environment="dev", tenant="acme", run_id=make_evidence().run_id), forged)
    with pytest.raises(ReportNotVerified, match="signature"):
        preserve(make_evidence(), store=store, signer=Rotated(2), public_key_pem=make_public_pem("version-2"))


def test_preserving_again_after_another_release_gives_the_report_that_is_kept(store, monkeypatch):
    first = keep(store, make_evidence(errors=(make_problem(title="The window closed."),)))
    monkeypatch.setattr(report_module, "REPORT_VERSION", "9.9.9")
    monkeypatch.setattr(report_module, "STATEMENT", "Said in other words.")
    newer = make_evidence(errors=(make_problem(title="Said better."),), vocabulary_sha256="e" * 64)
    assert keep(store, newer) == first
    with pytest.raises(ReportDiverges):
        keep(store, make_evidence(errors=(make_problem(detail="something else"),)))


@pytest.mark.parametrize("body", [b"", b"{}", b"not a report"])
def test_a_file_in_the_place_of_a_report_is_an_alarm(store, body):
    evidence = make_evidence()
    store.put(report_key(environment="dev", tenant="acme", run_id=evidence.run_id), body)
    with pytest.raises(ReportDiverges):
        keep(store, evidence)


def test_a_report_signed_by_somebody_else_is_not_accepted(store):
    with pytest.raises(ReportNotVerified, match="signature"):
        preserve(make_evidence(), store=store, signer=make_signer("theirs"), public_key_pem=make_public_pem())


def test_the_development_key_is_made_once_and_is_private(tmp_path):
    home = tmp_path / "home"
    first, second = (development_key(home, environment="dev") for _ in range(2))
    assert first.private_numbers() == second.private_numbers()
    assert stat.S_IMODE((home / PRIVATE_KEY_NAME).stat().st_mode) == 0o600
    assert (home / PUBLIC_KEY_NAME).read_bytes() == public_pem(first.public_key())
    assert sorted(path.name for path in home.iterdir()) == sorted([PRIVATE_KEY_NAME, PUBLIC_KEY_NAME])


def test_a_report_of_the_development_key_is_verified_with_the_public_file(tmp_path, store):
    signer = DevSigner(development_key(tmp_path, environment="dev"))
    public = (tmp_path / PUBLIC_KEY_NAME).read_bytes()
    stored = preserve(make_evidence(), store=store, signer=signer, public_key_pem=public)
    assert verify_envelope(store.get(stored.uri), public_key_pem=public).ok


def test_the_development_key_signs_in_dev_only(tmp_path):
    with pytest.raises(SigningKeyUnavailable, match="staging"):
        development_key(tmp_path, environment="staging")
    assert not list(tmp_path.iterdir())


def test_a_key_that_others_can_read_is_refused_and_kept(tmp_path):
    development_key(tmp_path, environment="dev")
    path = tmp_path / PRIVATE_KEY_NAME
    path.chmod(0o644)
    before = path.read_bytes()
    with pytest.raises(SigningKeyUnavailable, match="others"):
        development_key(tmp_path, environment="dev")
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"no key"])
def test_a_file_that_is_no_key_is_refused_and_kept(tmp_path, content):
    path = tmp_path / PRIVATE_KEY_NAME
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(SigningKeyUnavailable, match="not a private key"):
        development_key(tmp_path, environment="dev")
    assert path.read_bytes() == content
