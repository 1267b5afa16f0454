"""The simulation's part of docs/discussion/scale.md."""

import re
from dataclasses import dataclass

from simulation.verdict import SLOTS, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How much is simulated. A run is `mean_seconds` long on average; a window of `window_hours` opens each night."""

    tenants: int = 1_000
    environments: int = 3
    workers: int = 4
    mean_seconds: float = 254.0
    window_hours: int = 6
    speed: float = 200.0
    seed: int = 2026


def table(options: Options, verdict: Verdict) -> str:
    """What was simulated, and what came of it."""
    lines = [
        ("tenants, in so many environments", f"{options.tenants:,} in {options.environments}"),
        ("workers of an environment, for two slots", options.workers),
        ("a run takes, on average and at most", f"{options.mean_seconds:,.0f} s, {verdict.longest_run:,.0f} s"),
        ("window, each night", f"{options.window_hours} h"),
        ("tenants whose runs were at work", f"{verdict.runs:,}"),
        ("nights", verdict.nights),
        ("most seed runs at once in an environment", f"{verdict.most_at_once} of {SLOTS}"),
        ("most of one tenant at once", verdict.tenants_at_once),
        ("stretches of work outside of a window", verdict.outside_windows),
        ("waits in the queue that ended with a start", f"{verdict.waits:,}"),
        ("later ones that began before one who waited, at most", verdict.most_overtaken),
        ("longest wait, and its bound", f"{verdict.longest_wait:,.0f} s, {verdict.longest_wait_allowed:,.0f} s"),
        ("waits that would have been longer than the queue's five minutes", f"{verdict.waits_of_five_minutes:,}"),
        ("the slots' time that was used, in nights that were full", f"{verdict.packing_of_full_nights:.0%}"),
    ]
    return "\n".join(["| what | |", "|---|---|", *(f"| {what} | {came} |" for what, came in lines)])


def page_with(page: str, text: str) -> str:
    """The page with what stands between its two marks made anew."""
    pattern = r"(?s)(<!-- simulated -->\n).*?(\n<!-- /simulated -->)"
    return re.sub(pattern, lambda marks: f"{marks[1]}\n{text}\n{marks[2]}", page)
