"""Every manifest that is shipped makes the dataset that was reviewed, and a dry run says so."""

import json
from pathlib import Path

import pytest
from manifest_digests import golden_of, shipped

GOLDEN = json.loads(Path(__file__).with_name("manifests.json").read_text())


def test_every_shipped_manifest_has_a_golden_hash_and_no_other():
    assert sorted(GOLDEN) == shipped()


@pytest.mark.parametrize("path", shipped())
def test_a_shipped_manifest_makes_the_dataset_that_was_reviewed(path):
    assert golden_of(path) == GOLDEN[path], "review the change, then make manifests.json anew: see manifest_digests.py"
