"""Feature flags: a file that stops an environment, a tenant or a mode, and refuses when in doubt."""

import json

import pytest
from openfeature import api
from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider

from seed_pipelines.errors import FlagsUnavailable, StoppedByFlag
from seed_pipelines.outside.flags import assert_enabled

ACME = {"environment": "staging", "tenant": "acme", "mode": "carga"}


@pytest.fixture(autouse=True)
def no_provider_is_left():
    yield
    api.clear_providers()


@pytest.fixture
def flags(tmp_path):
    def write(text):
        file = tmp_path / "flags.json"
        file.write_text(text if isinstance(text, str) else json.dumps(text))
        return file

    return write


def enabled(*, default=True, rules=()):
    return {"seed-run-enabled": {"default": default, "rules": list(rules)}}


@pytest.mark.parametrize(
    ("rules", "stopped"),
    [
        ([], False),
        ([{"tenant": "acme", "value": False}], True),
        ([{"tenant": "globex", "value": False}], False),
        ([{"mode": "carga", "value": False}], True),
        ([{"mode": "dr", "value": False}], False),
        ([{"environment": "staging", "value": False}], True),
        ([{"environment": "staging", "tenant": "acme", "mode": "dr", "value": False}], False),
        ([{"tenant": "acme", "value": True}, {"environment": "staging", "value": False}], False),
        ([{"value": False}], True),
    ],
)
def test_the_first_rule_that_fits_decides(flags, rules, stopped):
    file = flags(enabled(rules=rules))
    if stopped:
        with pytest.raises(StoppedByFlag, match="carga of staging/acme"):
            assert_enabled(file, **ACME)
    else:
        assert assert_enabled(file, **ACME).value


def test_the_state_says_why(flags):
    assert assert_enabled(flags(enabled()), **ACME).as_flags()["seed_run_enabled_reason"] == "DEFAULT"
    file = flags(enabled(default=False, rules=[{"tenant": "acme", "value": True}]))
    assert assert_enabled(file, **ACME).reason == "TARGETING_MATCH"


def test_a_file_is_read_anew_each_time(flags):
    assert assert_enabled(flags(enabled()), **ACME).value
    with pytest.raises(StoppedByFlag):
        assert_enabled(flags(enabled(default=False)), **ACME)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        "{}",
        '{"another-flag": {"default": true}}',
        '{"seed-run-enabled": true}',
        '{"seed-run-enabled": {"default": "yes"}}',
        '{"seed-run-enabled": {"default": true, "rules": [{"tennant": "acme", "value": false}]}}',
    ],
)
def test_a_file_that_says_nothing_clear_stops_everything(flags, text):
    with pytest.raises(FlagsUnavailable):
        assert_enabled(flags(text), **ACME)


def test_a_file_that_is_not_there_stops_everything(tmp_path):
    with pytest.raises(FlagsUnavailable, match="FileNotFoundError"):
        assert_enabled(tmp_path / "none.json", **ACME)


def test_without_a_file_and_without_a_provider_nothing_is_stopped():
    assert assert_enabled(None, **ACME).reason == "not configured"


def test_a_provider_of_the_installation_s_own_is_asked():
    api.set_provider(InMemoryProvider({"seed-run-enabled": InMemoryFlag("off", {"on": True, "off": False})}))
    with pytest.raises(StoppedByFlag):
        assert_enabled(None, **ACME)
    api.set_provider(InMemoryProvider({}))
    with pytest.raises(FlagsUnavailable, match="FLAG_NOT_FOUND"):
        assert_enabled(None, **ACME)
