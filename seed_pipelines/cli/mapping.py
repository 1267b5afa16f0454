"""The commands about the mapping of an application's schema: `seed-data mapping …`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from seed_pipelines.mapping.model import SchemaMapping

app = typer.Typer(no_args_is_help=True)

File = Annotated[Path | None, typer.Argument(help="The mapping; that of SEED_TARGET_MAPPING if left out.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object, for programs.")]


@app.command()
def check(file: File = None, as_json: AsJson = False) -> None:
    """Every problem of a mapping, with its line; exit code 2 where there is one. No database is asked.

    Example: seed-data mapping check shop.mapping.yaml
    """
    mapping = _mapping_at(file)
    if as_json:
        said = {"version": mapping.version, "hash": mapping.mapping_hash, "entities": list(mapping.ordered)}
        typer.echo(json.dumps(said))
        return
    tables = ", ".join(f"{entity} in {mapping.entities[entity].table}" for entity in mapping.ordered)
    typer.echo(f"mapping {mapping.version} {mapping.mapping_hash[:12]} of schema {mapping.schema_name}: {tables}")


@app.command()
def grants(
    file: File = None,
    policies: Annotated[
        bool, typer.Option("--policies", help="Also row-level security, for tables without it.")
    ] = False,
) -> None:
    """The statements that the owner of the application's tables runs once. Nothing is run here.

    Example: seed-data mapping grants shop.mapping.yaml --policies | psql …
    """
    from seed_pipelines.mapping.grants import grants_of, policies_of

    mapping = _mapping_at(file)
    for statement in (*(policies_of(mapping) if policies else ()), *grants_of(mapping)):
        typer.echo(statement)


def _mapping_at(file: Path | None) -> "SchemaMapping":
    from seed_pipelines.errors import MappingNotFound
    from seed_pipelines.mapping.load import parse_mapping
    from seed_pipelines.outside.mapping_file import mapping_content
    from seed_pipelines.settings import from_environment

    path = file or from_environment().target_mapping
    if path is None:
        raise MappingNotFound("", why="SEED_TARGET_MAPPING is not set and no file is named")
    return parse_mapping(mapping_content(path), source=str(path))
