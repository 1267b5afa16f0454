"""The hash of a manifest, writing it into a text, and new manifests."""

import hashlib
import json
import random
import re
from decimal import Decimal

import pytest
from manifest_cases import MODES, content_of, example

from seed_pipelines.errors import ManifestRejected
from seed_pipelines.manifest.load import parse_manifest
from seed_pipelines.manifest.model import Mode
from seed_pipelines.manifest.normal_form import as_json, as_yaml
from seed_pipelines.manifest.seal import canonical_bytes, canonical_hash, sealed_text
from seed_pipelines.manifest.strict_yaml import read_document
from seed_pipelines.manifest.template import new_manifest_text

HASH = re.compile(r"[0-9a-f]{64}")


def data_of(text):
    return read_document(text.encode(), source="x").data


def test_the_hash_is_that_of_plain_canonical_json():
    """Sorted keys, no spaces, shortest numbers: what any RFC 8785 program makes of the manifest as JSON."""
    data = example("carga")
    without = {**data, "integrity": {"schema_version": "1.0.0"}}
    plain = json.dumps(without, sort_keys=True, separators=(",", ":"), default=float).encode()
    assert canonical_bytes(data) == plain
    assert canonical_hash(data) == hashlib.sha256(plain).hexdigest() == data["integrity"]["manifest_hash"]


def test_the_hash_does_not_depend_on_what_it_says_itself():
    assert canonical_hash(example()) == canonical_hash(example(integrity__manifest_hash="0" * 64))


@pytest.mark.parametrize(("one", "other"), [("50", "50.0"), ("0.5", "0.50"), ("0", "-0.0"), ("5.4", "5.400")])
def test_two_spellings_of_a_number_give_one_hash(one, other):
    assert canonical_hash(data_of(f"a: {one}")) == canonical_hash(data_of(f"a: {other}"))


@pytest.mark.parametrize(
    ("one", "other"), [("0.1", '"0.1"'), ("1", "true"), ("1", '"1"'), ("[]", "{}"), ("0.1", "0.2")]
)
def test_different_values_give_different_hashes(one, other):
    assert canonical_hash(data_of(f"a: {one}")) != canonical_hash(data_of(f"a: {other}"))


def test_no_two_decimals_of_fifteen_digits_share_a_hash():
    chance = random.Random(1)
    for _ in range(2_000):
        scale = chance.randint(1, 14)
        number = Decimal(chance.randrange(10**14, 10**15)).scaleb(-scale)
        neighbour = number + Decimal(1).scaleb(-scale)
        assert canonical_hash([number]) != canonical_hash([neighbour])


def test_comments_order_and_quotes_do_not_count():
    text = as_yaml(example())
    reordered = "\n".join(["# a comment", *text.split("mode:")[1].splitlines()[1:], ""]) + text.split("window:")[0]
    assert canonical_hash(data_of(reordered)) == canonical_hash(data_of(text))
    assert canonical_hash(data_of(text.replace('"acme"', "acme"))) == canonical_hash(data_of(text))


@pytest.mark.parametrize("quote", ['"', "'", ""])
@pytest.mark.parametrize("line_break", ["\n", "\r\n"])
def test_sealing_changes_the_hash_and_nothing_else(quote, line_break):
    text = new_manifest_text("dev", "acme", Mode.CARGA).replace('"1.0.0"', '"1.1.0"', 1).replace("\n", line_break)
    before = re.sub(rf'"({HASH.pattern})"', rf"{quote}\1{quote}  # ação", text)
    after = sealed_text(before)
    assert HASH.sub("", before.replace(f"{quote}{HASH.search(before)[0]}{quote}", "")) == HASH.sub(
        "", after.replace(f'"{HASH.search(after)[0]}"', "")
    )
    assert before != after
    assert sealed_text(after) == after
    assert parse_manifest(after.encode(), source="x").manifest_hash == HASH.search(after)[0]


def test_a_hash_that_is_not_there_yet_is_written():
    text = HASH.sub("0", new_manifest_text("dev", "acme", Mode.BASELINE))
    assert parse_manifest(sealed_text(text).encode(), source="x")


@pytest.mark.parametrize(
    ("text", "words"),
    [("a: 1\na: 2\n", "stands twice"), ("a: 1\n", "lacks manifest_hash"), ("integrity: {}\n", "lacks manifest_hash")],
)
def test_a_text_that_cannot_be_sealed_is_refused(text, words):
    with pytest.raises(ManifestRejected, match=words):
        sealed_text(text)


@pytest.mark.parametrize("mode", list(Mode))
@pytest.mark.parametrize("tenant", ["acme", "true", "null", "e1", "a-1"])
def test_a_new_manifest_is_valid_sealed_and_commented(mode, tenant):
    text = new_manifest_text("dev", tenant, mode)
    assert text.startswith("# yaml-language-server: $schema=")
    manifest = parse_manifest(text.encode(), source="x", relative_path=f"dev/{tenant}.yaml")
    assert (manifest.metadata.tenant, manifest.mode) == (tenant, mode)
    assert text.count("\n# ") > 8


@pytest.mark.parametrize("tenant", ["Acme", "a b", "../x", "a\nmode: dr", "", "a:b", '"'])
def test_a_new_manifest_with_an_impossible_name_is_refused(tenant):
    with pytest.raises(ManifestRejected):
        new_manifest_text("dev", tenant, Mode.BASELINE)


@pytest.mark.parametrize("mode", MODES)
def test_the_normal_form_reads_back_as_the_same_manifest(mode):
    data = example(mode)
    assert data_of(as_yaml(data)) == data == data_of(as_json(data))
    assert parse_manifest(content_of(data), source="x") == parse_manifest(as_json(data).encode(), source="x")


def test_the_normal_form_has_one_spelling_and_the_contracts_order():
    text = as_yaml(data_of("ttl: {dr_days: 2.0}\nmode: dr\nbudget: {cost_cap_brl: 10.50}\n"))
    assert text == 'mode: "dr"\nbudget:\n  cost_cap_brl: 10.5\nttl:\n  dr_days: 2\n'
