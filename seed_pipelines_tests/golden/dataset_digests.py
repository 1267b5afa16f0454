"""The hashes of some small datasets, as JSON: what `datasets.json` holds.

PYTHONPATH=seed_pipelines_tests python seed_pipelines_tests/golden/dataset_digests.py > …/golden/datasets.json
"""

import json
import sys

from factories import make_plan

from seed_pipelines import catalog
from seed_pipelines.generate.digest import ContentDigest, dataset_hash, digest_of
from seed_pipelines.generate.rows import generate

DATASETS = {
    "baseline-300": {"customers": 300},
    "carga-500": {"customers": 500, "mode": "carga", "tenant": "globex"},
    "dr-200-at-a-month-end": {"customers": 200, "mode": "dr", "reference_datetime": "2028-02-29T00:00:00Z"},
    "canary-400": {"customers": 400, "mode": "canary", "environment": "staging"},
}


def golden_of(name, *, shards=1, batch_rows=None):
    plan = make_plan(shards=shards, batch_rows=batch_rows, **DATASETS[name])
    digests = {entity: (rows, digest_of_entity(plan, entity)) for entity, rows in plan.rows.items()}
    return {
        "dataset_hash": dataset_hash(digests),
        "digests": {entity: digest.hex() for entity, (_, digest) in digests.items()},
        # Readable, so that a change shows what it changes; what is personal stays in the digest.
        "first_rows": {entity: _first_row(plan, entity) for entity in plan.rows},
    }


def digest_of_entity(plan, entity):
    """The digest of all its rows, whatever the shards and batches."""
    total = ContentDigest.zero()
    for shard in plan.shard_keys:
        for batch in plan.batches(shard, entity):
            rows = generate(plan, entity, first_row=batch.first_row, rows=batch.rows)
            total = total.combine(digest_of(rows, first_row=batch.first_row))
    return total


def _first_row(plan, entity):
    row = generate(plan, entity, first_row=0, rows=1).to_pylist()[0]
    shown = [column.name for column in catalog.ENTITIES[entity].columns if column.pii is None]
    return {name: row[name].hex() if isinstance(row[name], bytes) else str(row[name]) for name in shown}


if __name__ == "__main__":
    golden = {name: golden_of(name) for name in DATASETS}
    sys.stdout.buffer.write((json.dumps(golden, indent=1, ensure_ascii=False) + "\n").encode())
