"""`seed-data lending`: the official calculation as a service."""

from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True)


@app.callback()
def lending() -> None:
    """The official calculation of loans, as a service: schedules, late charges, settlements, financed IOF."""


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Where it listens.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Its port; 0 takes a free one.")] = 8010,
) -> None:
    """Answer questions about loans over HTTP, until Ctrl-C: what SEED_LENDING_ORACLE_URL may name, and late charges,
    early settlements and financed IOF besides.

    Example: seed-data lending serve --port 8010
    """
    import socket

    import uvicorn

    from seed_pipelines.lending_api import lending_app

    with socket.create_server((host, port), reuse_port=False) as listener:
        where = f"http://{host}:{listener.getsockname()[1]}"
        typer.echo(f"official calculation: {where} (Ctrl-C ends it)")
        config = uvicorn.Config(lending_app(), access_log=False, log_level="warning")
        uvicorn.Server(config).run(sockets=[listener])
