"""The record of decisions: one row for every answer of the policy, which the API can add and nobody can change.

A caller is recorded by digest. A tenant or environment that is no name is recorded as a question mark: a header may
hold anything, and what it holds is not kept.
"""

import re
from dataclasses import dataclass

from seed_pipelines.api.access.caller import Action
from seed_pipelines.manifest.model import Mode
from seed_pipelines.outside.postgres import Connection, translated
from seed_pipelines.sql import query

NO_NAME = "?"

_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What was asked, by whom, and the rule that allowed it: None is a no."""

    subject_digest: str
    action: Action
    environment: str
    tenant: str
    mode: str | None
    rule: str | None
    policy_version: str
    policy_sha256: str


def record(connection: Connection, decision: Decision) -> None:
    """Committed when this returns; raises DatabaseUnavailable or DatabaseRefused."""
    values = {
        "subject_digest": decision.subject_digest,
        "action": decision.action,
        "environment": _name_or_mark(decision.environment),
        "tenant": _name_or_mark(decision.tenant),
        "mode": decision.mode if decision.mode in set(Mode) else None,
        "rule": decision.rule,
        "policy_version": decision.policy_version,
        "policy_sha256": decision.policy_sha256,
    }
    with translated():
        connection.execute(query("access_record"), values)


def _name_or_mark(text: str) -> str:
    return text if _NAME.fullmatch(text) else NO_NAME
