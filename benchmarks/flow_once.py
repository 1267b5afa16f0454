"""One seed run of one manifest without Dagster, in a process of its own: prints seconds and peak memory as JSON."""

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from uuid import uuid4

from seed_pipelines import flow
from seed_pipelines.control.runs import RunRequest
from seed_pipelines.flow import Session
from seed_pipelines.generate.rows import COUNTERS
from seed_pipelines.generate.version import GENERATOR_VERSION
from seed_pipelines.generate.vocabulary import vocabulary
from seed_pipelines.manifest.load import parse_manifest
from seed_pipelines.mask.keys import FieldKeys
from seed_pipelines.outside.postgres import connected
from seed_pipelines.outside.telemetry import open_telemetry
from seed_pipelines.plan import plan_of


def main() -> None:
    path = Path(sys.argv[1])
    plan = plan_of(parse_manifest(path.read_bytes(), source=str(path)), counters=COUNTERS)
    metadata = plan.manifest.metadata
    steps: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as home, connected(os.environ["SEED_DATABASE_URL"]) as connection:
        session = Session(
            connection=connection,
            keys=FieldKeys(bytes(32), environment=metadata.environment, tenant=metadata.tenant),
            telemetry=open_telemetry(about={}, environment="dev", home=Path(home), otlp_endpoint=None),
            worker=uuid4().hex,
        )
        request = RunRequest(
            seed_run_id=uuid4(),
            idempotency_key=uuid4().hex,
            manifest_path=f"{metadata.environment}/{metadata.tenant}.yaml",
            generator_version=GENERATOR_VERSION,
            key_check=session.keys.key_check,
            vocabulary_sha256=vocabulary().sha256,
            mask_key={"source": "benchmark", "key": None, "key_version": 1},
            flags={"ignore_window": True},
            traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        )
        started = time.perf_counter()
        run = flow.begin(session, plan, request)
        for shard in plan.shard_keys:
            for entity in plan.rows:
                step = time.perf_counter()
                flow.load_entity(session, plan, run, shard=shard, entity=entity)
                steps[entity] = steps.get(entity, 0) + time.perf_counter() - step
            step = time.perf_counter()
            flow.publish(session, plan, run, shard=shard)
            steps["publish"] = steps.get("publish", 0) + time.perf_counter() - step
        seconds = time.perf_counter() - started
        session.telemetry.finish()
    print(json.dumps({"seconds": seconds, "peak_mib": _peak_mib(), "steps": steps}))


def _peak_mib() -> float:
    """The peak of this program: getrusage would count the process that started it, too."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


if __name__ == "__main__":
    main()
