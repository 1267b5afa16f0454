"""How the benchmarks measure: seconds of this process's own CPU, the best of a few tries, printed as a table.

Other work on the machine lengthens the clock but hardly the CPU time, and the best try is the one least disturbed.
"""

import resource
import time
from collections.abc import Callable, Iterable


def cpu_seconds(work: Callable[[], object], *, tries: int = 3) -> float:
    """CPU seconds of one call, the least of some tries."""
    return min(_once(work) for _ in range(tries))


def _once(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def peak_mib() -> float:
    """The most memory that this process has had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def show(title: str, header: Iterable[str], rows: Iterable[Iterable[object]]) -> None:
    """Print a Markdown table under a title: it reads well in a terminal, and docs take it as it is."""
    columns = list(header)
    print(f"\n## {title}\n")
    print(f"| {' | '.join(columns)} |")
    print(f"|---|{'---:|' * (len(columns) - 1)}")
    for row in rows:
        print(f"| {' | '.join(str(cell) for cell in row)} |")
