"""`seed-data dataset profile`: what loaded datasets look like, as a table, a page, pictures or JSON."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import typer

from seed_pipelines.cli.doors import installation_of, with_database
from seed_pipelines.cli.sightings import plan_at_hand
from seed_pipelines.control import purge as purging
from seed_pipelines.control import runs
from seed_pipelines.errors import DatasetNotFound
from seed_pipelines.profile.distribution import Bar, Distribution, Profile
from seed_pipelines.profile.measured import profile_of


def profiles_of(tenants: Sequence[str], *, environment: str | None, mode: str | None) -> Iterator[Profile]:
    """The profile of every published dataset that fits; raises DatasetNotFound for a tenant without one."""
    installation = installation_of()
    with with_database() as connection:
        for tenant in tenants:
            found = purging.listed(connection, environment=environment, tenant=tenant, mode=mode)
            if not found:
                raise DatasetNotFound(" ".join(part for part in (environment, tenant, mode) if part))
            for dataset in found:
                run = runs.find(connection, dataset.seed_run_id)
                plan = plan_at_hand(installation, run.manifest_path, manifest_hash=run.manifest_hash)
                profile = profile_of(connection, run, plan=plan)
                if profile is not None:
                    yield profile


def as_json(profiles: Sequence[Profile]) -> str:
    return json.dumps({"profiles": [_plain(profile) for profile in profiles]})


def write_page(profiles: Sequence[Profile], file: Path) -> None:
    from seed_pipelines.profile.page import page_of

    file.write_text(page_of(profiles), encoding="utf-8")
    typer.echo(f"wrote {file}", err=True)


def write_plots(profiles: Sequence[Profile], directory: Path) -> None:
    """One picture for each distribution of each dataset."""
    from seed_pipelines.profile.plots import plot_of

    directory.mkdir(parents=True, exist_ok=True)
    for profile in profiles:
        for distribution in profile.distributions:
            name = f"{profile.environment}-{profile.tenant}-{profile.mode}-{distribution.name}.png"
            (directory / name).write_bytes(plot_of(distribution))
        typer.echo(f"wrote {len(profile.distributions)} pictures of {profile.title} to {directory}", err=True)


def show(profiles: Sequence[Profile]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    for profile in profiles:
        table = Table(title=f"{profile.title}: {profile.rows:,} rows as of {profile.reference}")
        for heading in ("distribution", "rows", "measured %", "expected %", "difference"):
            table.add_column(heading, justify="left" if heading == "distribution" else "right")
        for distribution in profile.distributions:
            table.add_section()
            table.add_row(f"[bold]{distribution.title}[/bold]", "", "", "", distribution.verdict.value)
            for bar in distribution.bars:
                table.add_row(f"  {bar.label}", f"{bar.count:,}", *_shares(bar))
        console.print(table)
        differing = ", ".join(found.title for found in profile.differing)
        console.print(f"not as expected: {differing}" if differing else "everything is as expected")


def _shares(bar: Bar) -> tuple[str, str, str]:
    from seed_pipelines.profile.page import percent

    return percent(bar.share), percent(bar.expected), percent(bar.difference)


def _plain(profile: Profile) -> dict[str, Any]:
    return {
        "environment": profile.environment,
        "tenant": profile.tenant,
        "mode": profile.mode,
        "reference": profile.reference.isoformat(),
        "rows": profile.rows,
        "distributions": [_plain_distribution(found) for found in profile.distributions],
    }


def _plain_distribution(distribution: Distribution) -> dict[str, Any]:
    return {
        "name": distribution.name,
        "title": distribution.title,
        "verdict": distribution.verdict.value,
        "bars": [
            {"label": bar.label, "rows": bar.count, "of": bar.total, "measured": bar.share, "expected": bar.expected}
            for bar in distribution.bars
        ],
    }
