"""Who calls, and what there is to be allowed."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Action(StrEnum):
    """What the API can be asked for."""

    # Look at a manifest: nothing is written.
    VALIDATE = "validate"
    # Start a seed run, or rehearse one.
    RUN = "run"
    CANCEL = "cancel"
    # Seed runs, their progress and their reports.
    READ = "read"
    # Take datasets away.
    PURGE = "purge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Somebody whose token was accepted. Shown without the subject, which may be an e-mail address.

    Attributes:
        issuer, subject: who, as the identity provider says it; never logged, never stored.
        claims: the token's claims, for the policy.
        digest: who, for logs, limits and the record of decisions: a keyed digest of issuer and subject.
    """

    issuer: str
    subject: str
    claims: Mapping[str, Any]
    digest: str

    def __repr__(self) -> str:
        return f"Caller(digest={self.digest!r})"

    __str__ = __repr__
