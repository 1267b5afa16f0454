"""The carga, end to end, against COPY of the same rows: ratios within one run, never a verdict."""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql
from volume import text_with

from seed_pipelines import catalog
from seed_pipelines.generate.rows import COUNTERS, generate
from seed_pipelines.load.copy import encoded
from seed_pipelines.local_database import DATABASE, LocalDatabase
from seed_pipelines.manifest.load import parse_manifest
from seed_pipelines.mask.keys import FieldKeys
from seed_pipelines.mask.policy import mask_batch
from seed_pipelines.outside.embedded import EmbeddedPostgres
from seed_pipelines.plan import Plan, plan_of


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        manifests = _manifests(Path(folder) / "manifests", options.customers)
        plan = plan_of(parse_manifest((manifests / "dev/globex.yaml").read_bytes(), source="globex"), counters=COUNTERS)
        print(f"{plan.total_rows:,} rows: {dict(plan.rows)}")
        streams = _encoded(plan)
        with _server(folder) as local:
            bare = _copy_seconds(local, streams, keys=False)
        with _server(folder) as local:
            keyed = _copy_seconds(local, streams, keys=True)
        del streams
        flow = _flow(manifests, folder, workers=2)
        alone = _flow(manifests, folder, workers=1)
        with _server(folder):
            whole = _command(manifests, folder, "dev/globex.yaml")
            _print(plan, bare=bare, keyed=keyed, flow=flow["seconds"], alone=alone["seconds"], whole=whole)
            _print_start(manifests, folder)
        _print_memory(folder, options)
        if options.twenty_million:
            _print_stability(folder)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--times-ten", action="store_true", help="memory at ten times the volume; takes minutes")
    parser.add_argument("--twenty-million", action="store_true", help="rows/s at 1 M and at 20 M rows; takes minutes")
    return parser.parse_args()


@contextmanager
def _server(folder: str) -> Iterator[LocalDatabase]:
    """A new one for each thing that is measured: what the one before left to be written and vacuumed would cost it."""
    local = LocalDatabase(Path(folder) / "home")
    local.start()
    try:
        yield local
    finally:
        local.remove()


def _manifests(root: Path, customers: int) -> Path:
    """A manifests folder with the shipped baseline and the shipped carga at the wished volume."""
    (root / "dev").mkdir(parents=True)
    (root / "dev/acme.yaml").write_text(Path("manifests/dev/acme.yaml").read_text())
    (root / "dev/globex.yaml").write_text(text_with(customers))
    return root


def _encoded(plan: Plan) -> dict[str, list[tuple[bytes, ...]]]:
    """Every row of the plan as COPY streams, as the flow would send them."""
    keys = FieldKeys(bytes(32), environment="dev", tenant="globex")
    return {
        entity: [
            encoded(
                mask_batch(
                    catalog.ENTITIES[entity],
                    generate(plan, entity, first_row=batch.first_row, rows=batch.rows),
                    keys,
                )
            )
            for shard in plan.shard_keys
            for batch in plan.batches(shard, entity)
        ]
        for entity in plan.rows
    }


def _copy_seconds(local: LocalDatabase, streams: dict[str, list[tuple[bytes, ...]]], *, keys: bool) -> float:
    """COPY into tables of the benchmark's own, as the superuser, one transaction a batch."""
    dsn = EmbeddedPostgres(local.home).address().dsn(DATABASE)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS bench CASCADE")
        connection.execute("CREATE SCHEMA bench")
        for entity in streams:
            _make_table(connection, entity, keys=keys)
        started = time.perf_counter()
        for entity, batches in streams.items():
            columns = sql.SQL(", ").join(
                sql.Identifier(column.name) for column in catalog.ENTITIES[entity].stored_columns
            )
            statement = sql.SQL("COPY bench.{} ({}) FROM STDIN (FORMAT binary)").format(sql.Identifier(entity), columns)
            for stream in batches:
                with connection.cursor() as cursor, cursor.copy(statement) as copy:
                    for piece in stream:
                        for start in range(0, len(piece), 1 << 20):
                            copy.write(memoryview(piece)[start : start + (1 << 20)])
        seconds = time.perf_counter() - started
        connection.execute("DROP SCHEMA bench CASCADE")
    return seconds


def _make_table(connection: psycopg.Connection, entity: str, *, keys: bool) -> None:
    including = "INCLUDING INDEXES" if keys else ""
    connection.execute(f"CREATE TABLE bench.{entity} (LIKE app.{entity} {including})")
    for parent in catalog.ENTITIES[entity].parents if keys else ():
        connection.execute(
            f"ALTER TABLE bench.{entity} ADD FOREIGN KEY (tenant_id, {parent.column}) "
            f"REFERENCES bench.{parent.entity} (tenant_id, id)"
        )


def _environment(manifests: Path, folder: str) -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if name != "CI"}
    return environment | {"SEED_HOME": f"{folder}/home", "SEED_MANIFESTS_DIR": str(manifests)}


def _flow(manifests: Path, folder: str, *, workers: int) -> dict[str, float]:
    """The flow in processes of its own: seconds, and the largest one's peak of memory."""
    program = [sys.executable, str(Path(__file__).with_name("flow_once.py")), str(manifests / "dev/globex.yaml")]
    with _server(folder) as local:
        environment = _environment(manifests, folder) | {"SEED_DATABASE_URL": local.loader_url()}
        done = subprocess.run(
            [*program, "--workers", str(workers)], env=environment, check=True, stdout=subprocess.PIPE, text=True
        )
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _command(manifests: Path, folder: str, path: str) -> float:
    """`seed-data run`, from the command to its summary."""
    started = time.perf_counter()
    command = [str(Path(sys.executable).with_name("seed-data")), "run", path, "--ignore-window", "--reseed", "--json"]
    subprocess.run(command, env=_environment(manifests, folder), check=True, capture_output=True)
    return time.perf_counter() - started


def _print(plan: Plan, *, bare: float, keyed: float, flow: float, alone: float, whole: float) -> None:
    rows = plan.total_rows
    print(f"(a) COPY into bare tables        {bare:7.2f} s  {rows / bare:12,.0f} rows/s")
    print(f"(b) COPY into tables with keys   {keyed:7.2f} s  {rows / keyed:12,.0f} rows/s")
    print(f"flow, begin to published         {flow:7.2f} s  {rows / flow:12,.0f} rows/s")
    print(f"the same by one worker           {alone:7.2f} s  {rows / alone:12,.0f} rows/s")
    print(f"seed-data run, whole command     {whole:7.2f} s  {rows / whole:12,.0f} rows/s")
    print(f"flow is {bare / flow:.2f} of (a) and {keyed / flow:.2f} x (b); aims: 0.5 and 3")
    print(f"the command is {bare / whole:.2f} of (a) and {keyed / whole:.2f} x (b)")


def _print_start(manifests: Path, folder: str) -> None:
    whole = _command(manifests, folder, "dev/acme.yaml")
    started = time.perf_counter()
    imports = "import dagster, seed_pipelines.orchestration.location"
    subprocess.run([sys.executable, "-c", imports], check=True)
    start = time.perf_counter() - started
    print(
        f"seed-data run dev/acme: {whole:.1f} s, {start:.1f} s of it ({start / whole:.0%}) Python and Dagster starting"
    )


def _print_memory(folder: str, options: argparse.Namespace) -> None:
    small = options.customers if options.times_ten else options.customers // 10
    peaks = []
    for number, customers in enumerate((small, 10 * small)):
        manifests = _manifests(Path(folder) / f"memory-{number}", customers)
        peaks.append(_flow(manifests, folder, workers=2)["peak_mib"])
    print(f"peak memory: {peaks[0]:.0f} MiB for {small:,} customers, {peaks[1]:.0f} MiB for {10 * small:,}")


def _print_stability(folder: str) -> None:
    """Whether a row costs the same in a small dataset and in a large one; each is gone before the next begins."""
    rates = []
    for number, customers in enumerate((21_000, 420_000)):
        manifests = _manifests(Path(folder) / f"stability-{number}", customers)
        content = (manifests / "dev/globex.yaml").read_bytes()
        rows = plan_of(parse_manifest(content, source="globex"), counters=COUNTERS).total_rows
        flow = _flow(manifests, folder, workers=2)
        rates.append(rows / flow["seconds"])
        print(f"{rows:12,} rows: {rates[-1]:,.0f} rows/s, peak {flow['peak_mib']:.0f} MiB")
    print(f"the large one at {rates[1] / rates[0]:.0%} of the small one's rate; aim: 90 % or more")


if __name__ == "__main__":
    main()
