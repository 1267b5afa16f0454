"""Verification from the bytes alone: what is whole passes, and every change is found."""

import base64
import hashlib
import json
import os
import random
import shutil
import subprocess

import pytest
from report_factory import make_evidence, make_public_pem, make_signer

from seed_pipelines.evidence.canonical import canonical_bytes, parse
from seed_pipelines.evidence.facts import Outcome
from seed_pipelines.evidence.report import report_of, sealed_envelope
from seed_pipelines.evidence.verify import payload_of, verify_chain, verify_envelope


@pytest.fixture(scope="module")
def envelope():
    return sealed_envelope(make_evidence(), signer=make_signer())


def verified(content, key="ours"):
    return verify_envelope(content, public_key_pem=make_public_pem(key))


def doubts(content, key="ours"):
    return {doubt.name for doubt in verified(content, key).doubts}


def changed(content, change):
    envelope = parse(content)
    change(envelope)
    return canonical_bytes(envelope)


def resigned(envelope):
    """The envelope of a changed payload, signed again by the rightful key."""
    digest = hashlib.sha256(canonical_bytes(envelope["payload"])).digest()
    envelope["signature_hash"] = digest.hex()
    envelope["signature"]["value"] = make_signer().sign(digest).value


def test_a_report_as_it_was_signed_is_verified(envelope):
    assert verified(envelope).ok
    assert {check.name for check in verified(envelope).checks} >= {"canonical", "signature", "rows", "checkpoints"}


@pytest.mark.parametrize("outcome", list(Outcome))
def test_a_report_of_every_outcome_is_verified(outcome):
    assert verified(sealed_envelope(make_evidence(outcome=outcome), signer=make_signer())).ok


def test_a_changed_byte_is_found_wherever_it_is(envelope):
    chance = random.Random(20261102)
    unseen = []
    for place in range(len(envelope)):
        other = chance.choice([byte for byte in range(256) if byte != envelope[place]])
        if verified(envelope[:place] + bytes([other]) + envelope[place + 1 :]).ok:
            unseen.append((place, other))
    assert not unseen


def test_every_flipped_bit_of_the_seal_is_found(envelope):
    start = envelope.index(b'"signature":')
    for place in range(start, len(envelope)):
        for bit in range(8):
            damaged = bytearray(envelope)
            damaged[place] ^= 1 << bit
            assert not verified(bytes(damaged)).ok, (place, bit)


def test_a_missing_and_an_added_byte_are_found(envelope):
    for place in range(0, len(envelope), 7):
        assert not verified(envelope[:place] + envelope[place + 1 :]).ok
        assert not verified(envelope[:place] + b" " + envelope[place:]).ok


def test_without_a_public_key_the_signature_is_a_doubt_that_names_the_key(envelope):
    verification = verify_envelope(envelope)
    (doubt,) = verification.doubts
    assert doubt.name == "signature"
    assert parse(envelope)["signature"]["public_key_sha256"] in doubt.detail


def test_another_key_does_not_verify(envelope):
    assert doubts(envelope, "theirs") == {"signature"}


@pytest.mark.parametrize("pem", [b"", b"not a key", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"])
def test_what_is_no_public_key_is_a_doubt(envelope, pem):
    assert not verify_envelope(envelope, public_key_pem=pem).ok


def test_an_unsigned_report_is_a_doubt():
    assert "signature" in doubts(sealed_envelope(make_evidence(), signer=None))


def test_a_report_signed_by_an_intruder_under_our_keys_name_is_found():
    evidence, intruder = make_evidence(), make_signer("theirs")
    report = report_of(evidence, signed_by=make_signer().identity, is_local_key=True)
    content = changed(
        sealed_envelope(evidence, signer=make_signer()),
        lambda envelope: envelope["signature"].update(value=intruder.sign(report.digest).value),
    )
    assert doubts(content) == {"signature"}


@pytest.mark.parametrize("salt", [0, 20, "max"])
def test_a_signature_with_another_salt_is_not_accepted(envelope, salt):
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, utils
    from report_factory import private_key

    length = padding.PSS.MAX_LENGTH if salt == "max" else salt
    digest = hashlib.sha256(canonical_bytes(payload_of(envelope))).digest()
    pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=length)
    value = private_key().sign(digest, pss, utils.Prehashed(hashes.SHA256()))
    encoded = base64.b64encode(value).decode()
    content = changed(envelope, lambda envelope: envelope["signature"].update(value=encoded))
    assert doubts(content) == {"signature"}


@pytest.mark.parametrize(
    ("change", "doubt"),
    [
        (lambda payload: payload["batches"].pop(), "rows"),
        (lambda payload: payload["batches"].append(payload["batches"][0]), "checkpoints"),
        (lambda payload: payload["checkpoints"].pop(), "checkpoints"),
        (lambda payload: payload["actual_rows"].update(customers=999), "rows"),
        (lambda payload: payload.update(dataset_hash=None), "published"),
        (lambda payload: payload["planned_rows"].update(customers=1001), "published"),
        (lambda payload: payload.update(batches=3), "rows"),
        (lambda payload: payload.update(batches=[[1]]), "rows"),
        (lambda payload: payload.update(actual_rows=[]), "rows"),
    ],
)
def test_a_rightly_signed_report_that_contradicts_itself_is_a_doubt(envelope, change, doubt):
    def change_and_sign(envelope):
        change(envelope["payload"])
        resigned(envelope)

    assert doubt in doubts(changed(envelope, change_and_sign))


@pytest.mark.parametrize(
    "change",
    [
        lambda envelope: envelope.pop("signature_hash"),
        lambda envelope: envelope.update(extra=1),
        lambda envelope: envelope["payload"].pop("errors"),
        lambda envelope: envelope["payload"].update(extra=1),
        lambda envelope: envelope["signature"].update(extra=1),
        lambda envelope: envelope.update(payload=[]),
        lambda envelope: envelope.update(signature=None),
    ],
)
def test_a_field_too_few_or_too_many_is_a_doubt(envelope, change):
    assert doubts(changed(envelope, change)) == {"shape"}


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"\x00", b'"text"', b"{}", b"[" * 5000])
def test_what_is_no_report_is_a_doubt_and_never_an_exception(content):
    assert not verified(content).ok


def chain_of(length):
    contents, before = [], None
    for number in range(length):
        evidence = make_evidence(run_id=f"run-{number}", previous_report_hash=before)
        contents.append(sealed_envelope(evidence, signer=make_signer()))
        before = hashlib.sha256(contents[-1]).hexdigest()
    return contents


def test_an_unbroken_chain_is_verified():
    assert verify_chain(chain_of(4)).ok


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_gap_in_a_chain_is_found(missing):
    contents = chain_of(4)
    del contents[missing]
    assert not verify_chain(contents).ok


def test_a_report_that_was_replaced_breaks_the_link_after_it():
    contents = chain_of(3)
    before = payload_of(contents[1])["previous_report_hash"]
    evidence = make_evidence(run_id="run-1", previous_report_hash=before)
    contents[1] = sealed_envelope(evidence, signer=make_signer())
    assert [check.ok for check in verify_chain(contents).checks] == [True, True, False]


@pytest.mark.skipif(shutil.which("openssl") is None and not os.environ.get("CI"), reason="there is no openssl")
def test_openssl_verifies_the_same_signature(envelope, tmp_path):
    seal = json.loads(envelope)["signature"]
    (tmp_path / "payload").write_bytes(canonical_bytes(payload_of(envelope)))
    (tmp_path / "signature").write_bytes(base64.b64decode(seal["value"]))
    (tmp_path / "key.pem").write_bytes(make_public_pem())
    options = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest", "-sigopt", "rsa_mgf1_md:sha256"]
    command = ["openssl", "dgst", "-sha256", "-verify", "key.pem", *options, "-signature", "signature", "payload"]
    answer = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert answer.stdout.strip() == "Verified OK"
