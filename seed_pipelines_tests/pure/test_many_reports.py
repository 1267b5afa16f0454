"""A thousand reports are verified offline, and each of a thousand changes of one byte is found."""

import hashlib
import random

import pytest
from report_factory import make_evidence, make_public_pem, make_signer

from seed_pipelines.evidence.report import sealed_envelope
from seed_pipelines.evidence.verify import verify_chain, verify_envelope

MANY = 1_000


@pytest.fixture(scope="module")
def reports():
    """One chain."""
    signer, before, found = make_signer(), None, []
    for number in range(MANY):
        evidence = make_evidence(batches=1 + number % 3, run_id=f"run-{number}", previous_report_hash=before)
        found.append(sealed_envelope(evidence, signer=signer))
        before = hashlib.sha256(found[-1]).hexdigest()
    return found


def test_a_thousand_reports_are_verified_and_are_one_chain(reports):
    public = make_public_pem()
    doubts = [verify_envelope(report, public_key_pem=public).doubts for report in reports]
    assert doubts == [()] * MANY
    assert verify_chain(reports).ok


def test_each_of_a_thousand_changes_of_one_byte_is_found(reports):
    """Every report is changed at one place, in one of all possible ways."""
    public, chance, unseen = make_public_pem(), random.Random(7), []
    for number, report in enumerate(reports):
        place, change = chance.randrange(len(report)), chance.randrange(1, 256)
        changed = report[:place] + bytes([report[place] ^ change]) + report[place + 1 :]
        if verify_envelope(changed, public_key_pem=public).ok:
            unseen.append((number, place))
    assert unseen == []


@pytest.mark.parametrize("missing", [0, 1, MANY // 2], ids=["the first", "the second", "one in the middle"])
def test_a_report_that_was_taken_out_of_the_chain_is_missed(reports, missing):
    assert not verify_chain(reports[:missing] + reports[missing + 1 :]).ok


def test_two_reports_that_changed_places_are_found(reports):
    swapped = [*reports[:10], reports[11], reports[10], *reports[12:]]
    assert len(verify_chain(swapped).doubts) >= 2
