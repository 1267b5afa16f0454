"""What one row costs, in CPU seconds of the worker and of the database, in bytes, and in log: what the derivation in
infra/scale/derive.py begins with. Two volumes, so that what a worker pays once is told from what it pays a row.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import psycopg
from volume import text_with

from seed_pipelines.generate.rows import COUNTERS
from seed_pipelines.local_database import DATABASE, LocalDatabase
from seed_pipelines.manifest.load import parse_manifest
from seed_pipelines.outside.embedded import EmbeddedPostgres
from seed_pipelines.plan import plan_of

FIGURES = Path(__file__).parents[1] / "infra/scale/figures.json"
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one seed run took."""

    rows: int
    worker_seconds: float
    database_seconds: float
    table_bytes: int
    log_bytes: int
    publication_share: float


def main() -> None:
    options = _options()
    small, large = (_cost_of(customers) for customers in (options.customers // 5, options.customers))
    figures = figures_of(small, large, customers=options.customers)
    text = json.dumps(figures, indent=2) + "\n"
    if options.write:
        FIGURES.write_text(text, encoding="utf-8")
    print(text, end="")


def figures_of(small: Cost, large: Cost, *, customers: int) -> dict[str, float]:
    """The slope between two volumes, and what is left at no rows."""
    rows = large.rows - small.rows
    worker = (large.worker_seconds - small.worker_seconds) / rows
    return {
        "rows_per_customer": round(large.rows / customers, 1),
        "rows_per_worker_second": round(1 / worker, -3),
        "rows_per_database_second": round(rows / (large.database_seconds - small.database_seconds), -3),
        "publication_share": round(large.publication_share, 2),
        "worker_start_seconds": round(max(0.0, small.worker_seconds - worker * small.rows), 1),
        "table_bytes_per_row": round((large.table_bytes - small.table_bytes) / rows),
        "log_bytes_per_row": round((large.log_bytes - small.log_bytes) / rows),
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=25_000)
    parser.add_argument("--write", action="store_true", help=f"keep the figures in {FIGURES.name}")
    return parser.parse_args()


def _cost_of(customers: int) -> Cost:
    """One seed run in a process of its own, on a server of its own."""
    with tempfile.TemporaryDirectory() as folder:
        local = LocalDatabase(Path(folder) / "home")
        local.start()
        try:
            return _run(local, Path(folder), customers)
        finally:
            local.remove()


def _run(local: LocalDatabase, folder: Path, customers: int) -> Cost:
    manifest = folder / "globex.yaml"
    manifest.write_text(text_with(customers), encoding="utf-8")
    plan = plan_of(parse_manifest(manifest.read_bytes(), source=manifest.name), counters=COUNTERS)
    program = [sys.executable, str(Path(__file__).with_name("flow_once.py")), str(manifest), "--workers", "1"]
    with psycopg.connect(EmbeddedPostgres(local.home).address().dsn(DATABASE), autocommit=True) as connection:
        before, worker = _state(connection), os.times()
        environment = os.environ | {"SEED_DATABASE_URL": local.loader_url()}
        done = subprocess.run(program, env=environment, check=True, stdout=subprocess.PIPE, text=True)
        after, ended = _state(connection), os.times()
    told = json.loads(done.stdout.splitlines()[-1])
    return Cost(
        rows=plan.total_rows,
        worker_seconds=ended.children_user + ended.children_system - worker.children_user - worker.children_system,
        database_seconds=after[0] - before[0],
        table_bytes=after[1] - before[1],
        log_bytes=after[2] - before[2],
        publication_share=told["publication_seconds"] / told["seconds"],
    )


def _state(connection: psycopg.Connection) -> tuple[float, int, int]:
    """CPU seconds of the server so far, the size of its database, and how much it has logged."""
    row = (
        connection.execute(
            "SELECT pg_backend_pid(), pg_database_size(current_database()), "
            "pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint"
        ).fetchone()
        or ()
    )
    return _server_seconds(_parent_of(row[0])), row[1], row[2]


def _server_seconds(postmaster: int) -> float:
    """Of the postmaster, of its processes, and of those that have ended."""
    living = [_stat(int(path.name)) for path in Path("/proc").glob("[0-9]*")]
    ours = [stat for stat in living if stat and int(stat[1]) == postmaster]
    own = _stat(postmaster)
    ticks = sum(int(stat[11]) + int(stat[12]) for stat in ours) + sum(int(ticks) for ticks in own[11:15])
    return ticks / _TICKS


def _parent_of(process: int) -> int:
    return int(_stat(process)[1])


def _stat(process: int) -> list[str]:
    """The fields after the name of the program; none where the process has just ended."""
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="ascii", errors="replace").rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


if __name__ == "__main__":
    main()
