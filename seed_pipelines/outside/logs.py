"""Logs: one JSON object a line, with nothing about people in it.

Redaction is the last step before the text is made, so nothing that a call, a context or another library adds can
pass it: keys that are not allowed are dropped, text is scrubbed, an exception is its class, code and SQLSTATE.
Records of other libraries keep their logger and level; of the few that speak only of themselves also the
unformatted message, and of no one the arguments, where the rows would be.
"""

import logging
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from seed_pipelines.redaction import Plain, allowed, facts_of

_OURS = "seed_pipelines"
# Their messages are constants about exporting and scheduling; any other library's text may quote a value.
_PLAIN_SPOKEN = ("opentelemetry", "dagster.daemon")
_WITHHELD = "a message of another library, withheld"


def configure_logs(*, stream: TextIO | None = None, level: int = logging.INFO) -> None:
    """Send every log record of this process through the redaction, as JSON lines on standard error."""
    handler = logging.StreamHandler(stream if stream is not None else sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_foreign_event, *_shared()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                redact,
                structlog.processors.JSONRenderer(sort_keys=True),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    structlog.configure(
        processors=[*_shared(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=False,
    )


def bind(**facts: Plain) -> None:
    """Say these facts (tenant_id, seed_run_id, …) in every log line of this context from now on."""
    structlog.contextvars.bind_contextvars(**facts)


def event(what: str, /, *, error: BaseException | None = None, **facts: Plain) -> None:
    """One line about the seed run, where logs are configured; with an error, its class, code and SQLSTATE."""
    if not structlog.is_configured():
        return
    log = structlog.get_logger(_OURS)
    if error is None:
        log.info(what, **facts)
    else:
        log.error(what, exc_info=error, **facts)


def redact(_: WrappedLogger, __: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """What is left of an event when it leaves."""
    error = _error_of(event)
    facts = facts_of(error) if error is not None else {}
    return {**allowed(event), **facts, "pii_redacted": True}


def _shared() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _foreign_event(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    record: logging.LogRecord = event["_record"]
    if record.name == _OURS or record.name.startswith(f"{_OURS}."):
        return event
    is_plain = any(record.name == name or record.name.startswith(f"{name}.") for name in _PLAIN_SPOKEN)
    event["event"] = record.msg if is_plain and isinstance(record.msg, str) else _WITHHELD
    return event


def _error_of(event: Mapping[str, Any]) -> BaseException | None:
    match event.get("exc_info"):
        case BaseException() as error:
            return error
        case (_, BaseException() as error, _):
            return error
        case True:
            return sys.exc_info()[1]
    return None
