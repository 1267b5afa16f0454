"""Log lines: JSON, with the facts of the run and nothing about people."""

import io
import json
import logging
import warnings

import pytest
import structlog

from seed_pipelines.outside.logs import bind, configure_logs, event

SECRETS = ("529.982.247-25", "52998224725", "maria.souza@bank.test", "Maria Souza", "hunter2")


class RowError(Exception):
    sqlstate = "23514"


@pytest.fixture
def log():
    """The stream that everything is written to; the state of logging is put back afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    configure_logs(stream=stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def lines(log):
    return [json.loads(line) for line in log.getvalue().splitlines()]


def test_a_line_says_level_event_and_the_bound_facts(log):
    bind(tenant_id="acme", seed_run_id="run-1")
    structlog.get_logger("seed_pipelines.flow").info("batch committed", entity="loans", batch=3, rows=500)
    (line,) = lines(log)
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "level": "info",
        "logger": "seed_pipelines.flow",
        "event": "batch committed",
        "tenant_id": "acme",
        "seed_run_id": "run-1",
        "entity": "loans",
        "batch": 3,
        "rows": 500,
        "pii_redacted": True,
    }


def test_keys_that_are_not_allowed_are_dropped_wherever_they_come_from(log):
    structlog.contextvars.bind_contextvars(customer="Maria Souza")
    structlog.get_logger("seed_pipelines").info("done", row={"name": "Maria Souza"}, password="hunter2")
    assert not any(secret in log.getvalue() for secret in SECRETS)
    assert len(lines(log)) == 1


@pytest.mark.parametrize("secret", SECRETS[:3])
def test_text_under_an_allowed_key_is_scrubbed(log, secret):
    structlog.get_logger("seed_pipelines").warning(f"refused {secret}", state=f"for {secret}")
    logging.getLogger("seed_pipelines.x").warning("refused %s", secret)
    assert secret not in log.getvalue()
    assert len(lines(log)) == 2


def test_an_exception_is_its_class_and_sqlstate(log):
    try:
        raise RowError("Failing row contains (Maria Souza, 529.982.247-25)")
    except RowError as error:
        structlog.get_logger("seed_pipelines").exception("batch failed")
        structlog.get_logger("seed_pipelines").error("batch failed", exc_info=error)
        logging.getLogger("seed_pipelines").exception("batch failed")
    assert not any(secret in log.getvalue() for secret in SECRETS)
    assert [(line["error_class"], line["sqlstate"]) for line in lines(log)] == [("RowError", "23514")] * 3


@pytest.mark.parametrize("name", ["psycopg", "psycopg.pool", "urllib3.connectionpool", "seed_pipelines_of_others"])
def test_of_another_library_no_message_and_no_arguments_are_written(log, name):
    logging.getLogger(name).warning("ignored %s", "Maria Souza")
    logging.getLogger(name).warning("Failing row contains (Maria Souza)")
    assert "Maria" not in log.getvalue()
    assert {line["logger"] for line in lines(log)} == {name}


def test_a_library_that_speaks_of_itself_keeps_its_message_without_arguments(log):
    logging.getLogger("opentelemetry.exporter").error("Failed to export %s", "Maria Souza")
    assert lines(log)[0]["event"] == "Failed to export %s"


def test_warnings_that_are_captured_as_logs_are_withheld(log):
    logging.captureWarnings(True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("about Maria Souza", stacklevel=1)
    finally:
        logging.captureWarnings(False)
    assert "Maria" not in log.getvalue()


def test_every_line_is_one_json_object_even_with_line_breaks_inside(log):
    structlog.get_logger("seed_pipelines").info("a\nb", entity="c\nd")
    assert lines(log)[0]["event"] == "a\nb"


def test_an_event_of_a_failure_says_class_and_sqlstate_and_not_the_message(log):
    bind(tenant_id="acme")
    event("step failed", error=RowError(f"Failing row contains ({SECRETS[1]}, {SECRETS[3]})"), attempt=2)
    (line,) = lines(log)
    assert (line["event"], line["level"], line["attempt"]) == ("step failed", "error", 2)
    assert (line["error_class"], line["sqlstate"], line["tenant_id"]) == ("RowError", "23514", "acme")
    assert not [secret for secret in SECRETS if secret in log.getvalue()]


def test_where_logs_are_not_configured_an_event_is_silent(capsys):
    """structlog's own default would print it, in the middle of what a program reads from standard output."""
    assert not structlog.is_configured()
    event("step began")
    assert capsys.readouterr() == ("", "")
