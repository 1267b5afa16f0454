"""`python -m simulation`: the simulation at full count, its figures on the terminal and, if asked for, in
docs/discussion/scale.md."""

import argparse
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from seed_pipelines.local_database import DATABASE, LocalDatabase
from seed_pipelines.outside.embedded import EmbeddedPostgres
from simulation.nights import Launcher
from simulation.page import Options, page_with, table
from simulation.start import launcher_of, verdict_on

PAGE = Path("docs/discussion/scale.md")


def main() -> None:
    options, is_written = _options()
    with tempfile.TemporaryDirectory(prefix="seed-simulation-") as folder:
        local = LocalDatabase(Path(folder) / "home", durable=False)
        local.start()
        try:
            started = time.monotonic()
            launcher: Launcher = launcher_of(options, url=local.loader_url(), home=Path(folder) / "sessions")
            launcher.run()
            took = timedelta(seconds=round(time.monotonic() - started))
            verdict = verdict_on(launcher, options, dsn=EmbeddedPostgres(local.home).address().dsn(DATABASE))
        finally:
            local.remove()
    sys.stdout.write(f"{table(options, verdict)}\n\n{took} of real time\n")
    if is_written and not verdict.broken:
        PAGE.write_text(page_with(PAGE.read_text(encoding="utf-8"), table(options, verdict)), encoding="utf-8")
    if verdict.broken:
        sys.exit("; ".join(verdict.broken))


def _options() -> tuple[Options, bool]:
    parser = argparse.ArgumentParser(prog="python -m simulation", description=__doc__)
    default = Options()
    for name in Options.__dataclass_fields__:
        value = getattr(default, name)
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    parser.add_argument("--write-docs", action="store_true", help=f"write the figures into {PAGE}")
    given = vars(parser.parse_args())
    is_written = given.pop("write_docs")
    return Options(**given), is_written


if __name__ == "__main__":
    main()
