"""The same plans give the same bytes on every machine.

`datasets.json` changes only in a commit that says why, together with GENERATOR_VERSION.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from dataset_digests import DATASETS, golden_of
from numpy._core import _multiarray_umath as umath

HERE = Path(__file__).parent
GOLDEN = json.loads((HERE / "datasets.json").read_text(encoding="utf-8"))

ENVIRONMENTS = {
    "no-vector-instructions": {
        "NPY_DISABLE_CPU_FEATURES": " ".join(
            name for name in umath.__cpu_dispatch__ if umath.__cpu_features__.get(name)
        )
    },
    "another-hash-seed": {"PYTHONHASHSEED": "1"},
    "a-fixed-hash-seed": {"PYTHONHASHSEED": "0"},
    "time-zone-of-sao-paulo": {"TZ": "America/Sao_Paulo", "LC_ALL": "C"},
    "time-zone-of-kiritimati": {"TZ": "Pacific/Kiritimati", "LC_ALL": "C.UTF-8", "PYTHONUTF8": "0"},
}


@pytest.mark.parametrize(("shards", "batch_rows"), [(1, None), (8, None), (3, 97)])
@pytest.mark.parametrize("name", DATASETS)
def test_datasets_are_the_golden_ones_however_they_are_cut(name, shards, batch_rows):
    assert golden_of(name, shards=shards, batch_rows=batch_rows) == GOLDEN[name]


@pytest.mark.parametrize("variables", ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_no_variable_of_the_environment_changes_them(variables):
    ours = {"PYTHONPATH": os.pathsep.join((str(HERE.parents[1]), str(HERE.parent)))}
    made = subprocess.run(
        [sys.executable, "-W", "error", str(HERE / "dataset_digests.py")],
        env={**os.environ, **ours, **variables},
        capture_output=True,
        check=True,
    )
    assert json.loads(made.stdout.decode()) == GOLDEN
