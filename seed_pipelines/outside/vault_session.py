"""A session with Vault: who we are there, and the client's errors in our words.

Three ways in: a token as it is, an AppRole, or the service account of a Kubernetes pod. Where we logged in ourselves,
a denied call is tried once more after a new login, since a token that ran out is denied like one without rights; a
second denial stands. A session is short: it is opened for a key or a signature, and its own token is given back
after it; one that lasts renews its token once half of the token's life is over. Every call has a time limit. There is
no fallback: an error is VaultUnavailable (the same call may work later) or VaultRefused (it will not). Texts of the
server are left out of both: they may quote a request.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, Self, TypeVar
from urllib.parse import urlsplit

import hvac
import requests
from hvac import exceptions

from seed_pipelines.errors import VaultRefused, VaultUnavailable

Answer = TypeVar("Answer")

SERVICE_ACCOUNT_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
_LARGEST_JWT_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultSettings:
    """Where Vault is and who we are there: a token, an AppRole's role_id and secret_id, or a Kubernetes role.

    Attributes:
        key_version: the version of the masking key; pinned, so that a rotation changes no value.
        ca_file: the certificates that sign Vault's; None means those of the system.
        kubernetes_role: the role to log in as with the pod's service account, whose token is `jwt_file`.
    """

    addr: str
    token: str | None = field(repr=False, default=None)
    role_id: str | None = field(repr=False, default=None)
    secret_id: str | None = field(repr=False, default=None)
    kubernetes_role: str | None = None
    kubernetes_mount: str = "kubernetes"
    jwt_file: Path = SERVICE_ACCOUNT_TOKEN
    namespace: str | None = None
    timeout_seconds: float = 5.0
    transit_mount: str = "transit"
    key_version: int = 1
    ca_file: str | None = None

    @property
    def shown_addr(self) -> str:
        """The address without what may be secret in it."""
        parts = urlsplit(self.addr)
        return f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")


class VaultSession:
    """A session with Vault, for one thread; use it as a context."""

    def __init__(self, settings: VaultSettings) -> None:
        """Log in unless a token is given; raises VaultUnavailable or VaultRefused."""
        self._settings = settings
        # An empty token keeps hvac from looking for one in the environment and in the home directory.
        self._client = hvac.Client(
            url=settings.addr,
            token=settings.token or "",
            namespace=settings.namespace,
            timeout=settings.timeout_seconds,
            verify=settings.ca_file or True,
        )
        self._renew_at = float("inf")
        if not settings.token:
            self._log_in()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # After an error Vault may be away: its answer is not worth another time limit, and the token runs out anyway.
        if kind is None and not self._settings.token:
            with contextlib.suppress(exceptions.VaultError, requests.exceptions.RequestException):
                self._client.auth.token.revoke_self()
        self._client.token = None
        self._client.adapter.close()

    def _ask(self, doing: str, call: Callable[[], Answer]) -> Answer:
        """What `call` gives; its errors become ours."""
        with self._errors(doing):
            self._keep_alive()
            try:
                return call()
            except exceptions.Forbidden:
                if self._settings.token:
                    raise
                self._log_in()
                return call()

    def _keep_alive(self) -> None:
        """Renew our own token at half of its life; one that cannot be renewed is replaced."""
        if time.monotonic() < self._renew_at:
            return
        try:
            self._note_life(self._client.auth.token.renew_self())
        except (exceptions.Forbidden, exceptions.InvalidRequest, exceptions.InternalServerError):
            # The server fails on a token that runs out while it looks; where it is ill, the login says so.
            self._log_in()

    def _note_life(self, login: Mapping[str, Any]) -> None:
        seconds = int(login["auth"]["lease_duration"])
        # A token without an end says 0.
        self._renew_at = time.monotonic() + seconds / 2 if seconds else float("inf")

    def _log_in(self) -> None:
        settings, doing = self._settings, "log in to Vault"
        if settings.role_id and settings.secret_id:
            with self._errors(doing):
                login = self._client.auth.approle.login(role_id=settings.role_id, secret_id=settings.secret_id)
                self._note_life(login)
            return
        if settings.kubernetes_role:
            jwt = self._service_account_jwt()
            with self._errors(doing):
                login = self._client.auth.kubernetes.login(
                    role=settings.kubernetes_role, jwt=jwt, mount_point=settings.kubernetes_mount
                )
                self._note_life(login)
            return
        cure = "Set SEED_VAULT_TOKEN, or SEED_VAULT_ROLE_ID and SEED_VAULT_SECRET_ID, or SEED_VAULT_KUBERNETES_ROLE."
        self._refuse(doing, why="needs a token, an AppRole or a Kubernetes role", what_to_do=cure)

    def _service_account_jwt(self) -> str:
        """Read at every login: the kubelet replaces the file before the token in it runs out."""
        path = self._settings.jwt_file
        try:
            with path.open("rb") as file:
                return file.read(_LARGEST_JWT_BYTES).decode("ascii").strip()
        except (OSError, UnicodeDecodeError):
            self._refuse(
                "log in to Vault",
                why=f"needs a service account token, and {path} cannot be read",
                what_to_do="Mount one, or correct SEED_VAULT_JWT_FILE.",
            )

    def _refuse(self, doing: str, *, why: str, what_to_do: str) -> NoReturn:
        raise VaultRefused(self._settings.shown_addr, doing=doing, why=why, what_to_do=what_to_do) from None

    @contextmanager
    def _errors(self, doing: str) -> Iterator[None]:
        """Turn the client's errors into ours."""
        try:
            yield
        except requests.exceptions.Timeout:
            why = f"did not answer within {self._settings.timeout_seconds:g} s"
            raise VaultUnavailable(self._settings.shown_addr, doing=doing, why=why) from None
        except requests.exceptions.RequestException as error:
            why = f"cannot be reached ({type(error).__name__})"
            raise VaultUnavailable(self._settings.shown_addr, doing=doing, why=why) from None
        except exceptions.VaultError as error:
            raise self._translated(error, doing) from None
        except LookupError:
            self._refuse(doing, why="answered something else than was asked for", what_to_do=_CHECK_SERVER)

    def _translated(self, error: exceptions.VaultError, doing: str) -> VaultRefused | VaultUnavailable:
        for kind, why in _LATER.items():
            if isinstance(error, kind):
                return VaultUnavailable(self._settings.shown_addr, doing=doing, why=why)
        for kind, (why, what_to_do) in _NEVER.items():
            if isinstance(error, kind):
                return VaultRefused(self._settings.shown_addr, doing=doing, why=why, what_to_do=what_to_do)
        why = f"answered with an unexpected {type(error).__name__}"
        return VaultRefused(self._settings.shown_addr, doing=doing, why=why, what_to_do=_CHECK_SERVER)


_CHECK_SERVER = "Check the address, and what stands between it and Vault."
_CHECK_RIGHTS = "Check the policy of the token or the role, and that it has not run out."

_LATER: Mapping[type[exceptions.VaultError], str] = {
    exceptions.VaultDown: "is sealed or in maintenance",
    exceptions.VaultNotInitialized: "is not initialized",
    exceptions.RateLimitExceeded: "has too many requests to answer",
    exceptions.InternalServerError: "failed on its side",
    exceptions.BadGateway: "is not reached by the gateway before it",
}
_NEVER: Mapping[type[exceptions.VaultError], tuple[str, str]] = {
    exceptions.Forbidden: ("denies permission", _CHECK_RIGHTS),
    exceptions.Unauthorized: ("does not know us", _CHECK_RIGHTS),
    exceptions.InvalidRequest: (
        "does not accept the request: no such key or version, or a version below the key's minimum",
        "Compare SEED_VAULT_KEY_VERSION with the key's versions.",
    ),
    exceptions.InvalidPath: ("has no such key or mount", "Create the key, or correct the mount."),
}
