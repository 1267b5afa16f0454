"""Feature flags, through OpenFeature: one of them can stop every seed run of an environment, a tenant or a mode.

A seed run asks before every batch. The default provider is a file, read anew each time: `{"seed-run-enabled":
{"default": true, "rules": [{"tenant": "acme", "mode": "carga", "value": false}]}}`. The first rule of which every named
attribute fits decides. Without a file an installation may have registered a provider of its own; with neither, nothing
is stopped. A file that cannot be read, or a provider that answers with an error, is a refusal.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from openfeature import api
from openfeature.evaluation_context import EvaluationContext
from openfeature.flag_evaluation import FlagResolutionDetails, Reason
from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider
from pydantic import BaseModel, ConfigDict, RootModel, ValidationError

from seed_pipelines.errors import FlagsUnavailable, StoppedByFlag

SEED_RUN_ENABLED = "seed-run-enabled"

_DOMAIN = "seed-pipelines"
_NOT_CONFIGURED = "not configured"
_NO_PROVIDER = "No-op Provider"


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagState:
    """What a flag said, and why: for the report."""

    value: bool
    reason: str

    def as_flags(self) -> Mapping[str, bool | str]:
        return {"seed_run_enabled": self.value, "seed_run_enabled_reason": self.reason}


class FlagWatch:
    """The flag of one environment, tenant and mode, to be asked often: a file that says what it said costs one read."""

    def __init__(self, file: Path | None, *, environment: str, tenant: str, mode: str) -> None:
        self._file = file
        self._whose = {"environment": environment, "tenant": tenant, "mode": mode}
        self._content: bytes | None = None
        self._state: FlagState | None = None

    def assert_enabled(self) -> FlagState:
        """Whether a seed run may work, now. Raises StoppedByFlag or FlagsUnavailable."""
        if self._file is None:
            return _state_of(self._whose)
        # The bytes decide, not the file's time: two changes in one tick have the same time.
        content = _content_of(self._file)
        if self._state is None or content != self._content:
            api.set_provider_and_wait(_provider_of(self._file, content), domain=_DOMAIN)
            self._state = _state_of(self._whose)
            self._content = content
        return self._state


def assert_enabled(file: Path | None, *, environment: str, tenant: str, mode: str) -> FlagState:
    """Whether a seed run may work, asked once. Raises StoppedByFlag or FlagsUnavailable."""
    return FlagWatch(file, environment=environment, tenant=tenant, mode=mode).assert_enabled()


def _state_of(whose: Mapping[str, str]) -> FlagState:
    client = api.get_client(_DOMAIN)
    if client.provider.get_metadata().name == _NO_PROVIDER:
        return FlagState(value=True, reason=_NOT_CONFIGURED)
    environment, tenant, mode = whose["environment"], whose["tenant"], whose["mode"]
    context = EvaluationContext(targeting_key=f"{environment}/{tenant}", attributes=dict(whose))
    found = client.get_boolean_details(SEED_RUN_ENABLED, False, context)
    if found.error_code is not None:
        raise FlagsUnavailable(SEED_RUN_ENABLED, why=f"the provider answers {found.error_code.value}")
    reason = str(getattr(found.reason, "value", found.reason) or "unknown")
    if not found.value:
        raise StoppedByFlag(SEED_RUN_ENABLED, environment=environment, tenant=tenant, mode=mode)
    return FlagState(value=True, reason=reason)


class _Rule(BaseModel):
    """A value for those whom every named attribute fits."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    value: bool
    environment: str | None = None
    tenant: str | None = None
    mode: str | None = None

    def fits(self, attributes: Mapping[str, object]) -> bool:
        named = {"environment": self.environment, "tenant": self.tenant, "mode": self.mode}
        return all(wanted in (None, attributes.get(name)) for name, wanted in named.items())


class _Flag(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    default: bool
    rules: list[_Rule] = []


class _Flags(RootModel[dict[str, _Flag]]):
    """The whole file."""


def _content_of(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise FlagsUnavailable(str(file), why=f"it cannot be read ({type(error).__name__})") from None


def _provider_of(file: Path, content: bytes) -> InMemoryProvider:
    try:
        flags = _Flags.model_validate_json(content).root
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole file"
        raise FlagsUnavailable(str(file), why=f"{where}: {first['msg']}") from None
    return InMemoryProvider({name: _in_memory(flag) for name, flag in flags.items()})


def _in_memory(flag: _Flag) -> InMemoryFlag[bool]:
    def evaluate(_: InMemoryFlag[bool], context: EvaluationContext) -> FlagResolutionDetails[bool]:
        for rule in flag.rules:
            if rule.fits(context.attributes):
                return FlagResolutionDetails(value=rule.value, reason=Reason.TARGETING_MATCH)
        return FlagResolutionDetails(value=flag.default, reason=Reason.DEFAULT)

    return InMemoryFlag("default", {"default": flag.default}, context_evaluator=evaluate)
