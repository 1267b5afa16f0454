"""`seed-data token`: a bearer token for the API of this machine, in environment dev only."""

import json
from typing import Annotated

import typer

from seed_pipelines.cli.runs import AsJson

Roles = Annotated[list[str] | None, typer.Option("--role", help="A role of the policy; repeat it for more.")]
Subject = Annotated[str, typer.Option(help="Who the token says you are.")]
Minutes = Annotated[int, typer.Option(min=1, max=60, help="How long it lives.")]


def token(roles: Roles = None, subject: Subject = "developer", minutes: Minutes = 60, as_json: AsJson = False) -> None:
    """A token for the API that `seed-data dev` or `seed-data api` serves here; refused outside of dev and under CI.

    The policy of dev lets the role developer, which is the default, do everything in environment dev.

    Examples: export SEED_API_TOKEN=$(seed-data token); seed-data token --role auditor --minutes 5
    """
    import time

    from seed_pipelines.outside import token_key_file
    from seed_pipelines.settings import from_environment

    settings = from_environment()
    token_key_file.assert_local_tokens(settings.environment, is_ci=settings.is_ci)
    made = token_key_file.token_of(
        settings.home,
        subject=subject,
        roles=tuple(roles or ("developer",)),
        issued_at=int(time.time()),
        seconds=minutes * 60,
    )
    typer.echo(json.dumps({"token": made, "expires_in": minutes * 60}) if as_json else made)
