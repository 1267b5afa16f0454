"""`seed-data doctor`: is everything here that this installation needs?"""

from typing import Annotated

import typer

from seed_pipelines.cli.runs import AsJson
from seed_pipelines.errors import Refused

DoctorEnvironment = Annotated[
    str | None, typer.Option("--environment", help="The environment to look at it for. Default: SEED_ENVIRONMENT, dev.")
]


def doctor(environment: DoctorEnvironment = None, as_json: AsJson = False) -> None:
    """Look at every part of the installation, and say what to do about those that are not in order.

    Python, manifests, database with its roles and clock, Vault, report store, telemetry, Dagster, API access, disk.
    Nothing is started and no row is written; the report store and the telemetry receive what their own checks send.
    Exit code 3 says that something is not in order.

    Examples: seed-data doctor; seed-data doctor --environment staging --json
    """
    from seed_pipelines.cli import check_table, doctor_parts
    from seed_pipelines.cli.doors import installation_of
    from seed_pipelines.settings import DEV

    installation = installation_of()
    results = list(doctor_parts.examine(installation, environment or installation.settings.environment or DEV))
    check_table.show(results, doctor_parts.CHECKS, as_json=as_json)
    if not all(result.ok for result in results):
        raise typer.Exit(Refused.exit_code)
