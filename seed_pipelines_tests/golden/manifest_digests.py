"""The dataset hash of every manifest that is shipped, as JSON: what `manifests.json` holds.

PYTHONPATH=seed_pipelines_tests python seed_pipelines_tests/golden/manifest_digests.py > …/golden/manifests.json
"""

import json
import sys
from pathlib import Path

from dataset_digests import digest_of_entity

from seed_pipelines.generate.digest import dataset_hash
from seed_pipelines.generate.rows import COUNTERS
from seed_pipelines.manifest.load import parse_manifest
from seed_pipelines.plan import plan_of

MANIFESTS = Path(__file__).parents[2] / "manifests"


def shipped():
    return sorted(str(file.relative_to(MANIFESTS)) for file in MANIFESTS.glob("*/*.yaml"))


def golden_of(path):
    """What a dry run of the manifest would say, calculated without a database, a key or a worker."""
    manifest = parse_manifest((MANIFESTS / path).read_bytes(), source=path, relative_path=path)
    plan = plan_of(manifest, counters=COUNTERS)
    digests = {entity: (rows, digest_of_entity(plan, entity)) for entity, rows in plan.rows.items()}
    return {"manifest_hash": manifest.manifest_hash, "rows": plan.total_rows, "dataset_hash": dataset_hash(digests)}


if __name__ == "__main__":
    json.dump({path: golden_of(path) for path in shipped()}, sys.stdout, indent=2)
    sys.stdout.write("\n")
