"""`seed-data api`: the HTTP API in this process, until somebody ends it.

Requests that are under way when it is asked to end are answered, streams are closed; nothing of a request is logged but
what the redaction lets through.
"""

import logging
from types import FrameType

import uvicorn

from seed_pipelines.api.app import create_app, service_for
from seed_pipelines.api.service import Service
from seed_pipelines.cli import doors
from seed_pipelines.cli.dagster_home import publish_settings
from seed_pipelines.outside import logs

_GRACE_SECONDS = 10


class _Server(uvicorn.Server):
    """Tells those who stream that the end has come: they would keep it waiting."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._service.stopping.set()
        super().handle_exit(sig, frame)


def serve(*, host: str, port: int) -> None:
    """Answer until SIGTERM or Ctrl-C; raises what the settings lack before it listens."""
    installation = doors.with_local_database(doors.installation_of())
    publish_settings(installation.settings)
    if installation.settings.json_logs:
        logs.configure_logs()
    # A line for each request would hold its path and query; spans and metrics say what there is to say.
    logging.getLogger("uvicorn.access").disabled = True
    service = service_for(installation)
    config = uvicorn.Config(
        create_app(service),
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    print(f"API: http://{host}:{port}, its documentation at /docs (Ctrl-C ends it)", flush=True)  # noqa: T201
    _Server(config, service).run()
