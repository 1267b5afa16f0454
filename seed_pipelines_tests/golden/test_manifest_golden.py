"""The canonical bytes and hashes of the schema's examples. They change only with a new version of the contract."""

import json
from pathlib import Path

import pytest

from seed_pipelines.manifest.schema import schema
from seed_pipelines.manifest.seal import canonical_bytes, canonical_hash

GOLDEN = json.loads(Path(__file__).with_name("manifest_examples.json").read_text(encoding="utf-8"))
EXAMPLES = {example["mode"]: example for example in schema()["examples"]}


@pytest.mark.parametrize("mode", sorted(GOLDEN))
def test_an_example_has_the_canonical_form_and_the_hash_that_it_always_had(mode):
    assert canonical_bytes(EXAMPLES[mode]).decode() == GOLDEN[mode]["canonical"]
    assert canonical_hash(EXAMPLES[mode]) == GOLDEN[mode]["sha256"] == EXAMPLES[mode]["integrity"]["manifest_hash"]


def test_there_is_a_golden_example_for_every_mode():
    assert sorted(GOLDEN) == sorted(EXAMPLES) == ["baseline", "canary", "carga", "dr"]
