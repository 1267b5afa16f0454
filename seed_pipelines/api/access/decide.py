"""Every request's two questions: who are you, and may you? A no is the default, and every answer leaves a row.

The row is written before the answer is used: a decision that cannot be recorded is none (DatabaseUnavailable). Without
SEED_API_JWKS the only tokens are those of `seed-data token`, and they open environment dev and nothing else, whatever
the policy says.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from seed_pipelines.api.access.audit import Decision, record
from seed_pipelines.api.access.caller import Action, Caller
from seed_pipelines.api.access.policy import SOME_MODE, Policy, Question, Rule, SomeMode, parse_policy
from seed_pipelines.api.access.tokens import TokenVerifier
from seed_pipelines.errors import AccessNotConfigured, Forbidden
from seed_pipelines.outside import token_key_file
from seed_pipelines.outside.jwks import TokenKeys
from seed_pipelines.outside.postgres import Connection
from seed_pipelines.settings import DEV, Settings

__all__ = ["SOME_MODE", "AccessControl", "Action", "Caller", "SomeMode"]

# In force where no identity provider is configured and no policy is named: everything, for tokens of this machine.
DEV_POLICY = b"""\
version: 1.0.0
rules:
  - name: local
    who: {roles: [developer]}
    actions: [validate, run, cancel, read, purge]
    tenants: ["*"]
    environments: [dev]
    modes: ["*"]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessControl:
    """Built once by the door, used by every request, from any thread.

    Attributes:
        only_environment: the one that may be asked for; None means those that the policy names.
    """

    verifier: TokenVerifier
    policy: Policy
    connections: Callable[[], AbstractContextManager[Connection]]
    only_environment: str | None = None

    @classmethod
    def of(cls, settings: Settings, *, connections: Callable[[], AbstractContextManager[Connection]]) -> Self:
        """What the settings say; raises AccessNotConfigured, PolicyRejected or LocalTokenRefused.

        `connections` lends a connection in autocommit of a role that may add decisions, such as a pool's `lent`.
        """
        is_local = settings.api_jwks is None
        return cls(
            verifier=_local_verifier(settings) if is_local else _verifier(settings),
            policy=_policy_of(settings),
            connections=connections,
            only_environment=DEV if is_local else None,
        )

    def caller_of(self, authorization: str | None) -> Caller:
        """The caller that the Authorization header names; raises Unauthenticated, or KeysUnavailable."""
        return self.verifier.caller_of(authorization)

    def reaches(self, caller: Caller, *, tenant: str, environment: str) -> bool:
        """Whether the policy has anything for the caller there: no decision, and nothing is recorded."""
        return self.only_environment in (None, environment) and self.policy.reaches(
            caller, tenant=tenant, environment=environment
        )

    def allow(
        self, caller: Caller, *, action: Action, tenant: str, environment: str, mode: str | SomeMode | None = None
    ) -> None:
        """Record whether the caller may, and raise Forbidden where not.

        Without a mode the question is about all of them: only a rule for every mode says yes. With SOME_MODE a rule
        for any does: where what was sent has no mode that could be read, or names no seed run that there is.
        """
        question = Question(action=action, tenant=tenant, environment=environment, mode=mode)
        rule = self._rule_for(caller, question)
        decision = Decision(
            subject_digest=caller.digest,
            action=action,
            environment=environment,
            tenant=tenant,
            mode=None if mode is SOME_MODE else mode,
            rule=None if rule is None else rule.name,
            policy_version=self.policy.version,
            policy_sha256=self.policy.sha256,
        )
        with self.connections() as connection:
            record(connection, decision)
        if rule is None:
            raise Forbidden

    def _rule_for(self, caller: Caller, question: Question) -> Rule | None:
        if self.only_environment not in (None, question.environment):
            return None
        return self.policy.rule_for(caller, question)


def assert_configured(settings: Settings) -> None:
    """Raises what would keep the API from serving anybody; makes no key."""
    if settings.api_jwks is None:
        token_key_file.assert_local_tokens(settings.environment, is_ci=settings.is_ci)
    else:
        _verifier(settings).keys.preflight()
    _policy_of(settings)


def _local_verifier(settings: Settings) -> TokenVerifier:
    token_key_file.assert_local_tokens(settings.environment, is_ci=settings.is_ci)
    home = settings.home
    return TokenVerifier(
        keys=TokenKeys(str(token_key_file.key_set_file(home).absolute())),
        issuer=token_key_file.ISSUER,
        audience=token_key_file.AUDIENCE,
        subject_key=token_key_file.subject_key(home),
    )


def _verifier(settings: Settings) -> TokenVerifier:
    jwks, issuer, audience, key = (
        settings.api_jwks,
        settings.api_issuer,
        settings.api_audience,
        settings.api_subject_key,
    )
    if not (jwks and issuer and audience and key):
        raise _not_configured("SEED_API_JWKS is set, and SEED_API_ISSUER, _AUDIENCE and _SUBJECT_KEY are not all")
    return TokenVerifier(keys=TokenKeys(jwks), issuer=issuer, audience=audience, subject_key=key)


def _policy_of(settings: Settings) -> Policy:
    path = settings.api_policy
    if path is None and settings.api_jwks is None:
        return parse_policy(DEV_POLICY, source="the policy of dev")
    if path is None:
        raise _not_configured("SEED_API_POLICY names no policy")
    return parse_policy(_content(path), source=str(path))


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        raise _not_configured("the file that SEED_API_POLICY names cannot be read") from None


def _not_configured(why: str) -> AccessNotConfigured:
    return AccessNotConfigured(why, what_to_do="Set them as docs/how-to/control-access.md says.")
