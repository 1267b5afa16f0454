"""Reports of errors to Sentry, where a DSN is set: what failed and in which seed run, and nothing of why.

An event is built anew from an allow-list at the last point before it leaves: class, code, SQLSTATE, seed run and
environment. No message, no stack, no variable, no request, no breadcrumb, no host name. Nothing is global: other
libraries' errors do not come through here. Unlike telemetry this decides nothing: a run does not fail for want of it,
and waits for it two seconds at most.
"""

from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, cast

from seed_pipelines import __version__
from seed_pipelines.errors import Stopped, StoppedByFlag
from seed_pipelines.redaction import Plain, allowed, facts_of

if TYPE_CHECKING:
    import sentry_sdk
    from sentry_sdk.types import Event

_TAGS = ("error_code", "sqlstate", "seed_run_id")
# What the server wants to know of any event, and is the same for all of ours or random.
_OF_THE_PROTOCOL = ("event_id", "timestamp", "platform", "level", "release", "environment")
_FLUSH_SECONDS = 2.0


@contextmanager
def errors_told(dsn: str | None, *, environment: str) -> Iterator[MutableMapping[str, Plain]]:
    """Around a step: an error that ends it is told, and goes on as it is. A stop that was asked for is no error.

    What is put into the mapping meanwhile is said with it, as far as it may leave.
    """
    about: dict[str, Plain] = {}
    try:
        yield about
    except (Stopped, StoppedByFlag):
        raise
    except Exception as error:
        if dsn is not None:
            tell(dsn, error, environment=environment, about=about)
        raise


def tell(dsn: str, error: BaseException, *, environment: str, about: Mapping[str, Plain]) -> None:
    """Send one error. Nothing is raised: the error that is told is the one to report."""
    facts = {**allowed(about), **facts_of(error)}
    kind, tags = facts.pop("error_class"), {key: facts[key] for key in _TAGS if key in facts}
    event = {
        "level": "error",
        "exception": {"values": [{"type": kind, "value": facts.get("error_code", kind)}]},
        "tags": tags,
    }
    with suppress(Exception):
        client = _client(dsn, environment)
        client.capture_event(cast("Event", event))
        client.close(timeout=_FLUSH_SECONDS)


def scrubbed(event: "Event", _: Mapping[str, Any]) -> "Event":
    """The event as it may leave: of one exception its class and code, three tags, and what the protocol needs."""
    said = cast(dict[str, Any], event)
    values = (said.get("exception") or {}).get("values") or [{}]
    tags = {key: value for key, value in allowed(said.get("tags") or {}).items() if key in _TAGS}
    kept = {key: said[key] for key in _OF_THE_PROTOCOL if key in said}
    kind = allowed({"error_class": values[-1].get("type")}).get("error_class", "Exception")
    kept["exception"] = {"values": [{"type": kind, "value": tags.get("error_code", kind)}]}
    return cast("Event", {**kept, "tags": tags})


def _client(dsn: str, environment: str) -> "sentry_sdk.Client":
    # Its import takes 0.2 s, and most processes have no error to tell.
    import sentry_sdk

    return sentry_sdk.Client(
        dsn=dsn,
        environment=environment,
        release=__version__,
        before_send=scrubbed,
        default_integrations=False,
        auto_enabling_integrations=False,
        auto_session_tracking=False,
        attach_stacktrace=False,
        include_local_variables=False,
        include_source_context=False,
        max_breadcrumbs=0,
        max_request_body_size="never",
        send_client_reports=False,
        # The variable SENTRY_SPOTLIGHT would send a copy elsewhere.
        spotlight=False,
    )
