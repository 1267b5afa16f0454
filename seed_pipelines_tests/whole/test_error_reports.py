"""Errors on their way to Sentry: what is said of them, and that nothing else is."""

import socket
import time

import pytest

from seed_pipelines.errors import DatabaseUnavailable, SeedRunCancelled, SettingNotUsable, StoppedByFlag, VaultRefused
from seed_pipelines.outside.error_reports import errors_told, scrubbed
from seed_pipelines.settings import from_environment

pytest_plugins = ("sentry_receiver",)

CANARY = "Maria Canária da Silva, 529.982.247-25, maria@canary.example.com"
RUN = "0192f0c1-7b1e-7c3a-9d55-0d8a4f3b2c11"
OF_AN_EVENT = {"event_id", "timestamp", "platform", "level", "release", "environment", "exception", "tags"}


class ForeignError(Exception):
    """As a database driver raises it: with a row in its text."""

    sqlstate = "23505"


def told(dsn, error, **about):
    """The error, out of a step that has a personal value in every place that an error tracker looks at."""
    with pytest.raises(type(error)):
        failing_step(dsn, error, name_of_a_customer=CANARY, about=about)


def failing_step(dsn, error, *, name_of_a_customer, about):
    with errors_told(dsn, environment="staging") as facts:
        facts.update(about)
        try:
            raise KeyError(name_of_a_customer)
        except KeyError as cause:
            raise error from cause


def test_an_error_is_told_by_class_code_sqlstate_seed_run_and_environment(sentry):
    told(sentry.dsn, DatabaseUnavailable("57P01"), seed_run_id=RUN, tenant_id="acme")
    [event] = sentry.events
    assert event["exception"]["values"] == [{"type": "DatabaseUnavailable", "value": "database-unavailable"}]
    assert event["tags"] == {"error_code": "database-unavailable", "sqlstate": "57P01", "seed_run_id": RUN}
    assert (event["environment"], event["level"]) == ("staging", "error")
    assert event.keys() <= OF_AN_EVENT


def test_no_personal_value_leaves_in_any_byte_of_an_error_report(sentry):
    told(sentry.dsn, ForeignError(CANARY), seed_run_id=CANARY, mode=CANARY)
    [event] = sentry.events
    assert event["exception"]["values"][0] == {"type": "ForeignError", "value": "ForeignError"}
    assert event["tags"]["sqlstate"] == "23505"
    for part in ("529.982.247-25", "canary.example", "name_of_a_customer", "failing_step", socket.gethostname()):
        assert part.encode() not in sentry.seen, part


@pytest.mark.parametrize(
    "error",
    [
        SeedRunCancelled(RUN),
        StoppedByFlag("seed-run-enabled", environment="dev", tenant="acme", mode="carga"),
        KeyboardInterrupt(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_stop_that_was_asked_for_is_not_told(sentry, error):
    told(sentry.dsn, error)
    assert sentry.events == []


def test_what_a_foreign_hand_adds_to_an_event_is_taken_out_at_the_last_point():
    event = {
        "event_id": "a" * 32,
        "message": CANARY,
        "server_name": "a-host",
        "user": {"email": CANARY},
        "request": {"data": CANARY},
        "breadcrumbs": {"values": [{"message": CANARY}]},
        "extra": {"row": CANARY},
        "tags": {"error_code": "lease-lost", "customer": CANARY},
        "exception": {"values": [{"type": "LeaseLost", "value": CANARY, "stacktrace": {"frames": [{"vars": CANARY}]}}]},
    }
    assert scrubbed(event, {}) == {
        "event_id": "a" * 32,
        "tags": {"error_code": "lease-lost"},
        "exception": {"values": [{"type": "LeaseLost", "value": "lease-lost"}]},
    }


def test_a_sentry_that_does_not_answer_costs_two_seconds_and_the_error_is_the_same():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        told(f"http://key@127.0.0.1:{silent.getsockname()[1]}/7", DatabaseUnavailable("57P01"))
        assert time.monotonic() - started < 6


def test_without_a_dsn_nothing_is_told_and_the_error_is_the_same():
    told(None, VaultRefused("http://vault", doing="look", why="denies", what_to_do="Ask."))


@pytest.mark.parametrize("dsn", ["sentry", "https://sentry.internal/7", "https://k@host/", "ftp://k@host/7"])
def test_a_dsn_that_is_none_is_refused_and_not_shown(dsn):
    with pytest.raises(SettingNotUsable, match="SENTRY_DSN") as refusal:
        from_environment({"SENTRY_DSN": dsn})
    assert dsn not in str(refusal.value) or dsn == "sentry"


def test_the_dsn_is_not_in_the_text_of_the_settings():
    settings = from_environment({"SENTRY_DSN": "https://0123abcd@sentry.internal/team/7"})
    assert settings.sentry_dsn.endswith("/team/7")
    assert "0123abcd" not in repr(settings)
