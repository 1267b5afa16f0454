"""The policy: which claims may ask for what, of which tenants, environments and modes. What no rule allows is denied.

One YAML file, read as strictly as a manifest: an unknown field, a duplicate key or an empty list is refused, so that a
slip of the pen never opens anything. There are no rules that deny: the order of rules means nothing.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from seed_pipelines.api.access.caller import Action, Caller
from seed_pipelines.errors import PolicyRejected
from seed_pipelines.manifest.model import Mode, Name, Slug
from seed_pipelines.manifest.problems import Fault, Problem, dotted
from seed_pipelines.manifest.semver import SemVer
from seed_pipelines.manifest.strict_yaml import Document, read_document

ANY = "*"
# Stands for the tenants that the caller's own token names. No tenant can have this name.
OWN_TENANTS = "$own"

# Text comes in: strictness would ask for the members themselves.
_Action = Annotated[Action, Field(strict=False)]
_Mode = Annotated[Mode, Field(strict=False)]
_WORDS = MappingProxyType(
    {
        "extra_forbidden": "is not known here",
        "missing": "lacks a field",
        "model_type": "has to be a mapping",
        "string_pattern_mismatch": "is neither a name nor a word that may stand here",
        "string_type": "has to be text: quote it",
        "too_short": "has to name at least one",
        "tuple_type": "has to be a list",
    }
)
_Text = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class SomeMode(Enum):
    """No text that is sent can be this."""

    SOME_MODE = auto()


# Asked where nothing of any mode can be shown or done, and the caller is told why: a rule for one mode is enough.
SOME_MODE: Final = SomeMode.SOME_MODE


def _semver(text: str) -> str:
    if SemVer.find(text) is None:
        raise ValueError("has to be MAJOR.MINOR.PATCH")
    return text


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ClaimNames(_Part):
    """Where a token says it: the name of a claim, or a path into it such as `realm_access.roles`."""

    roles: _Text = "roles"
    groups: _Text = "groups"
    tenants: _Text = "tenants"


class Who(_Part):
    """Callers, by any of these."""

    subjects: tuple[_Text, ...] = Field(default=(), strict=False)
    roles: tuple[_Text, ...] = Field(default=(), strict=False)
    groups: tuple[_Text, ...] = Field(default=(), strict=False)

    @model_validator(mode="after")
    def _somebody(self) -> "Who":
        if not (self.subjects or self.roles or self.groups):
            raise ValueError("names nobody: give subjects, roles or groups")
        return self


class Rule(_Part):
    """What some callers may do."""

    name: Name
    who: Who
    actions: tuple[_Action, ...] = Field(min_length=1, strict=False)
    tenants: tuple[Slug | Literal["*", "$own"], ...] = Field(min_length=1, strict=False)
    environments: tuple[Slug | Literal["*"], ...] = Field(min_length=1, strict=False)
    modes: tuple[_Mode | Literal["*"], ...] = Field(min_length=1, strict=False)


class _PolicyText(_Part):
    version: Annotated[str, AfterValidator(_semver)]
    claims: ClaimNames = ClaimNames()
    rules: tuple[Rule, ...] = Field(strict=False)

    @model_validator(mode="after")
    def _one_rule_a_name(self) -> "_PolicyText":
        if len({rule.name for rule in self.rules}) != len(self.rules):
            raise ValueError("has two rules of one name")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """May a caller do this? Without a mode it is about every mode; with SOME_MODE about whichever there is."""

    action: Action
    tenant: str
    environment: str
    mode: str | SomeMode | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A policy file that was taken; `sha256` is of its bytes."""

    version: str
    sha256: str
    claims: ClaimNames
    rules: tuple[Rule, ...]

    def rule_for(self, caller: Caller, question: Question) -> Rule | None:
        """The first rule that allows it, or None: no."""
        return next((rule for rule in self.rules if self._allows(rule, caller, question)), None)

    def reaches(self, caller: Caller, *, tenant: str, environment: str) -> bool:
        """Whether any rule lets the caller do anything there."""
        return any(self._is_about(rule, caller, tenant=tenant, environment=environment) for rule in self.rules)

    def _allows(self, rule: Rule, caller: Caller, question: Question) -> bool:
        return (
            question.action in rule.actions
            and (question.mode is SOME_MODE or ANY in rule.modes or question.mode in rule.modes)
            and self._is_about(rule, caller, tenant=question.tenant, environment=question.environment)
        )

    def _is_about(self, rule: Rule, caller: Caller, *, tenant: str, environment: str) -> bool:
        return (
            (ANY in rule.environments or environment in rule.environments)
            and self._is_for(rule.who, caller)
            and self._covers(rule, caller, tenant)
        )

    def _is_for(self, who: Who, caller: Caller) -> bool:
        return (
            caller.subject in who.subjects
            or not _values(caller.claims, self.claims.roles).isdisjoint(who.roles)
            or not _values(caller.claims, self.claims.groups).isdisjoint(who.groups)
        )

    def _covers(self, rule: Rule, caller: Caller, tenant: str) -> bool:
        if ANY in rule.tenants or tenant in rule.tenants:
            return True
        return OWN_TENANTS in rule.tenants and tenant in _values(caller.claims, self.claims.tenants)


def parse_policy(content: bytes, *, source: str) -> Policy:
    """The policy that the bytes say; raises PolicyRejected with every problem."""
    document = read_document(content, source=source)
    if document.problems:
        raise PolicyRejected(document.problems)
    try:
        text = _PolicyText.model_validate(document.data)
    except ValidationError as refused:
        raise PolicyRejected(_problems(document, refused)) from None
    return Policy(
        version=text.version, sha256=hashlib.sha256(content).hexdigest(), claims=text.claims, rules=text.rules
    )


def _problems(document: Document, refused: ValidationError) -> tuple[Problem, ...]:
    """One problem a place: pydantic says what is wrong once for each thing that a value could have been."""
    faults: dict[tuple[str | int, ...], Fault] = {}
    for error in refused.errors(include_url=False, include_input=False, include_context=False):
        path = _place_in(document, error["loc"])
        words = _WORDS.get(error["type"]) or error["msg"].removeprefix("Value error, ").removeprefix("Input ")
        is_name = error["type"] == "extra_forbidden"
        missing = f" ({error['loc'][-1]})" if error["type"] == "missing" else ""
        message = f"{dotted(path) if path else 'the policy'} {words}{missing}. See docs/how-to/control-access.md."
        faults.setdefault(path, Fault(path=path, rule="policy", message=message, on_key=is_name))
    # A list with a wrong item counts as an empty one too.
    inner = {path[:depth] for path in faults for depth in range(len(path))}
    return tuple(document.located(fault) for path, fault in faults.items() if path not in inner)


def _place_in(document: Document, location: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """The longest part of a location that is in the text: the rest names members of a union."""
    known = document.values.keys() | document.keys.keys()
    return next((location[:depth] for depth in range(len(location), 0, -1) if location[:depth] in known), ())


def _values(claims: Mapping[str, Any], name: str) -> frozenset[str]:
    """What a claim says, as a set: of a list its texts, of a text itself, of anything else nothing."""
    found: Any = claims.get(name)
    if found is None and "." in name:
        found = claims
        for part in name.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    if isinstance(found, str):
        return frozenset((found,))
    return frozenset(each for each in found if isinstance(each, str)) if isinstance(found, list) else frozenset()
