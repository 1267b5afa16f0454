"""`python -m torture`: the torture at full count, its figures on the terminal and, if asked for, in docs/torture.md."""

import argparse
import secrets
import sys
import tempfile
import time
from pathlib import Path

from torture.page import page
from torture.rounds import Options, Torture
from torture.server import TorturedServer

PAGE = Path("docs/torture.md")


def main() -> None:
    given = _options()
    options = Options(kills=given.kills, crashes=given.crashes, seed=given.seed, customers=given.customers)
    _say(f"chance: --seed {options.seed}")
    with tempfile.TemporaryDirectory(prefix="seed-torture-") as folder:
        home = Path(folder)
        server = TorturedServer(home / "home")
        server.start()
        try:
            started = time.monotonic()
            torture = Torture(server, home, options, say=_say)
            torture.run()
            _say(f"{time.monotonic() - started:.0f} seconds")
            text = page(options, torture, version=server.value("SHOW server_version"))
        finally:
            server.remove()
    _say(text)
    if given.write_docs:
        PAGE.write_text(text)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m torture", description=__doc__)
    default = Options()
    parser.add_argument("--kills", type=int, default=default.kills, help="SIGKILLs of workers")
    parser.add_argument("--crashes", type=int, default=default.crashes, help="immediate shutdowns of PostgreSQL")
    parser.add_argument("--customers", type=int, default=default.customers, help="customers of each seed run")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32), help="draws the moments and the victims")
    parser.add_argument("--write-docs", action="store_true", help=f"write {PAGE}")
    return parser.parse_args()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
