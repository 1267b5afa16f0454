"""The commands about batches that were given up: `seed-data dead-letters …`."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from seed_pipelines.control.dead_letters import DeadLetter

app = typer.Typer(no_args_is_help=True)

_SHOWN_LOANS = 10

AsJson = Annotated[bool, typer.Option("--json", help="One JSON object, for programs.")]


@app.command("list")
def list_(
    seed_run: Annotated[str | None, typer.Argument(help="Only those of this seed run.")] = None, as_json: AsJson = False
) -> None:
    """Batches that failed more often than their manifest retries, and what became of them.

    Example: seed-data dead-letters list
    """
    from seed_pipelines.cli.doors import run_id_of, with_database
    from seed_pipelines.control import dead_letters

    with with_database() as connection:
        found = dead_letters.found(connection, seed_run_id=run_id_of(seed_run) if seed_run else None)
    if as_json:
        typer.echo(json.dumps({"dead_letters": [_plain(letter) for letter in found]}))
    else:
        _table(found)


@app.command()
def retry(
    seed_run: Annotated[str, typer.Argument(help="The seed run's id, from `seed-data dead-letters list`.")],
    as_json: AsJson = False,
) -> None:
    """Go on with a seed run at the batches that were given up, once their cause is gone.

    Example: seed-data dead-letters retry 0b9c…
    """
    from seed_pipelines.cli.doors import run_id_of, with_database
    from seed_pipelines.cli.run_command import Wish, run_manifest
    from seed_pipelines.control import dead_letters, runs
    from seed_pipelines.errors import NoDeadLetters, SeedRunEnded
    from seed_pipelines.flow import IGNORE_WINDOW

    with with_database() as connection:
        run = runs.find(connection, run_id_of(seed_run))
        if run.is_finished:
            raise SeedRunEnded(str(run.id), state=run.state)
        letters = dead_letters.found(connection, seed_run_id=run.id)
        if not any(letter.state in dead_letters.OPEN_STATES for letter in letters):
            raise NoDeadLetters(str(run.id))
        dead_letters.mark_retried(connection, run.id)
    wish = Wish(
        shard=None,
        idempotency_key=run.idempotency_key,
        reseed=False,
        wait_for_window=False,
        ignore_window=bool(run.flags.get(IGNORE_WINDOW)),
        wait=False,
    )
    raise typer.Exit(run_manifest(run.manifest_path, wish, as_json=as_json))


def _table(found: "list[DeadLetter]") -> None:
    from rich.console import Console
    from rich.table import Table

    if not found:
        typer.echo("no dead letters: every batch that failed was written at a later try")
        return
    table = Table("seed run", "manifest", "batch", "attempts", "error", "since", "state")
    for letter in found:
        table.add_row(
            str(letter.seed_run_id),
            letter.manifest_path,
            f"{letter.entity} {letter.number} of shard {letter.shard}",
            str(letter.attempts),
            _error_of(letter),
            f"{letter.died_at:%Y-%m-%d %H:%M}",
            letter.state,
        )
    Console().print(table)


def _error_of(letter: "DeadLetter") -> str:
    if letter.loans:
        named = ", ".join(map(str, letter.loans[:_SHOWN_LOANS]))
        return f"{letter.code} (loans {named}{', …' if len(letter.loans) > _SHOWN_LOANS else ''})"
    return letter.code + (f" ({letter.sqlstate})" if letter.sqlstate else "")


def _plain(letter: "DeadLetter") -> dict[str, Any]:
    return asdict(letter) | {"seed_run_id": str(letter.seed_run_id), "died_at": letter.died_at.isoformat()}
