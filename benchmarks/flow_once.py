"""One seed run of one manifest without Dagster, by as many processes as it is told: prints as JSON its seconds, those
of the publication, and the peak memory of the largest process. Each works as a worker of `seed-data run` does: shard
after shard, seals beside it.
"""

import argparse
import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from uuid import UUID, uuid4

from seed_pipelines import flow
from seed_pipelines.control import runs
from seed_pipelines.control.runs import RunRequest
from seed_pipelines.flow import Session
from seed_pipelines.generate.rows import COUNTERS
from seed_pipelines.generate.version import GENERATOR_VERSION
from seed_pipelines.generate.vocabulary import vocabulary
from seed_pipelines.load.sealer import Sealer
from seed_pipelines.manifest.load import parse_manifest
from seed_pipelines.mask.keys import FieldKeys
from seed_pipelines.outside.postgres import connected
from seed_pipelines.outside.telemetry import open_telemetry
from seed_pipelines.plan import Plan, plan_of

_PROCESSES = multiprocessing.get_context("fork")


def main() -> None:
    options = _options()
    plan = plan_of(parse_manifest(options.manifest.read_bytes(), source=str(options.manifest)), counters=COUNTERS)
    seed_run_id, taken, answers = uuid4(), _PROCESSES.Value("i", 0), _PROCESSES.SimpleQueue()
    started = time.perf_counter()
    with _session(plan) as session:
        flow.begin(session, plan, _request(session, plan, seed_run_id))
    workers = [
        _PROCESSES.Process(target=lambda: answers.put(_take_turns(plan, seed_run_id, taken)))
        for _ in range(options.workers)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    seconds = time.perf_counter() - started
    if any(worker.exitcode for worker in workers):
        raise SystemExit("a worker failed")
    peaks, publications = zip(*(answers.get() for _ in workers), strict=True)
    print(json.dumps({"seconds": seconds, "publication_seconds": max(publications), "peak_mib": max(peaks)}))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    return parser.parse_args()


def _take_turns(plan: Plan, seed_run_id: UUID, taken: "Synchronized[int]") -> tuple[float, float]:
    """Shard after shard, as long as there is one that nobody has: the peak of memory, and how long closing one took."""
    longest = 0.0
    with _session(plan) as session:
        run = runs.find(session.connection, seed_run_id)
        while (shard := _next(plan, taken)) is not None:
            for entity in plan.rows:
                flow.load_entity(session, plan, run, shard=shard, entity=entity)
            started = time.perf_counter()
            flow.publish(session, plan, run, shard=shard)
            longest = max(longest, time.perf_counter() - started)
    return _peak_mib(), longest


def _next(plan: Plan, taken: "Synchronized[int]") -> str | None:
    with taken.get_lock():
        number, taken.value = taken.value, taken.value + 1
    return plan.shard_keys[number] if number < len(plan.shard_keys) else None


@contextmanager
def _session(plan: Plan) -> Iterator[Session]:
    metadata = plan.manifest.metadata
    with (
        tempfile.TemporaryDirectory() as home,
        connected(os.environ["SEED_DATABASE_URL"]) as connection,
        closing(Sealer(is_beside=True)) as sealer,
    ):
        session = Session(
            connection=connection,
            keys=FieldKeys(bytes(32), environment=metadata.environment, tenant=metadata.tenant),
            telemetry=open_telemetry(about={}, environment="dev", home=Path(home), otlp_endpoint=None),
            worker=uuid4().hex,
            sealer=sealer,
        )
        yield session
        session.telemetry.finish()


def _request(session: Session, plan: Plan, seed_run_id: UUID) -> RunRequest:
    metadata = plan.manifest.metadata
    return RunRequest(
        seed_run_id=seed_run_id,
        idempotency_key=uuid4().hex,
        manifest_path=f"{metadata.environment}/{metadata.tenant}.yaml",
        generator_version=GENERATOR_VERSION,
        key_check=session.keys.key_check,
        vocabulary_sha256=vocabulary().sha256,
        mask_key={"source": "benchmark", "key": None, "key_version": 1},
        flags={"ignore_window": True},
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )


def _peak_mib() -> float:
    """The peak of this program: getrusage would count the process that started it, too."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) / 1024


if __name__ == "__main__":
    main()
