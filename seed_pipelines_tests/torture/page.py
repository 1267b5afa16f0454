"""docs/torture.md, out of what a torture did and found."""

from torture.verdict import PROMISES

HEAD = """# Torture

`make torture` runs cargas of two shards, a process for each, and kills them at random: workers by SIGKILL, PostgreSQL
itself by immediate shutdown. A killed worker is replaced at once by a new one, as a run launcher would; a killed server
is started again and recovers. Two readers look at all the tenant's tables in one statement, over and over. Each
manifest is then run once more, in peace, and both publishers take turns. The first promise that is broken ends it all
with exit code 1. `whole/test_torture.py` does the same in CI, at a smaller count.

`make torture TORTURE_ARGS="--kills 50 --crashes 5 --seed 7"` is a shorter one. A seed draws the same moments and the
same victims again; what they were doing at that moment is the machine's affair.

This page was written by `make torture TORTURE_ARGS="--write-docs"`.
"""


def page(options, torture, *, version: str) -> str:
    told = torture.told
    done = {
        "workers killed by SIGKILL": told.kills,
        "immediate shutdowns of PostgreSQL": told.crashes,
        "seed runs that this happened to": told.seed_runs,
        "batches in them": told.batches,
        "rows in them": told.rows,
        "worker processes started, in all": told.workers,
    }
    parts = [
        HEAD,
        f"## What was done\n\nPostgreSQL {version.split()[0]}, `--seed {options.seed}`.\n",
        _table(("what", "how often"), done),
        "## Where they were hit\n\nBy what the session of the victim was doing; a shutdown hits every worker.\n",
        _places(told.places),
        "## What held\n",
        _table(
            ("promise", "looked at", "broken"),
            {promise: (torture.verdict.held[promise], 0) for promise in PROMISES},
        ),
    ]
    return "\n".join(parts)


def _places(places) -> str:
    names = sorted({place for _, place in places})
    rows = {name: (places["kill", name], places["crash", name]) for name in names}
    return _table(("a worker that was", "killed", "lost its server"), rows)


def _table(head: tuple[str, ...], rows: dict) -> str:
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    for name, figures in rows.items():
        figures = figures if isinstance(figures, tuple) else (figures,)
        lines.append("| " + " | ".join([name, *(f"{figure:,}" for figure in figures)]) + " |")
    return "\n".join(lines) + "\n"
