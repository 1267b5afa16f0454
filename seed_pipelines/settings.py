"""Settings: everything the environment says, read once by a door.

No other module reads an environment variable. Secrets are held here by value and shown nowhere: the text form of
`Settings` leaves them out.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from seed_pipelines.errors import SettingNotUsable

DEV = "dev"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One installation.

    Attributes:
        home: where an embedded server, dev keys, dev reports and the Dagster instance of `seed-data dev` live.
        manifests: the manifests folder.
        database_url: the loader's connection; None means the embedded server of `home`.
        environment: the only environment that this installation serves; None serves every manifest.
        worm_url: where reports go; None means `file://` under `home`, which only dev accepts.
        vault_jwt_file: the service account's token; None means where Kubernetes mounts it.
        json_logs: whether SEED_LOG asks for a JSON object a line on standard error.
        is_ci: whether CI is set: the local dev key is refused then.
    """

    home: Path
    manifests: Path
    database_url: str | None = field(repr=False, default=None)
    environment: str | None = None
    worm_url: str | None = None
    vault_addr: str | None = None
    vault_token: str | None = field(repr=False, default=None)
    vault_role_id: str | None = field(repr=False, default=None)
    vault_secret_id: str | None = field(repr=False, default=None)
    vault_kubernetes_role: str | None = None
    vault_jwt_file: Path | None = None
    vault_namespace: str | None = None
    vault_ca_file: str | None = None
    vault_key_version: int = 1
    otlp_endpoint: str | None = None
    # Where people look at a trace, with {trace_id} for its id; None means no link.
    trace_url: str | None = None
    # Of whoever called the command, such as a CI job, as W3C's trace context has it; a name that is not ours.
    traceparent: str | None = None
    # Where errors are told, with the key that is in it; None means nowhere.
    sentry_dsn: str | None = field(repr=False, default=None)
    # The official calculation by URL; None means this package's own.
    lending_oracle_url: str | None = field(repr=False, default=None)
    # About how many loans of a batch it is asked; None means the standard number.
    lending_oracle_loans: int | None = None
    json_logs: bool = False
    lease_seconds: float = 60.0
    # Feature flags; None means the provider that the installation registered, if any.
    flags_file: Path | None = None
    # The API's own connection, of role seed_api; None means that of the embedded server.
    api_database_url: str | None = field(repr=False, default=None)
    # Dagster's webserver, by which the API launches runs.
    dagster_url: str = "http://127.0.0.1:3000"
    # How many requests a caller may send for a tenant in so many seconds.
    api_quota: tuple[int, int] = (600, 60)
    # Who may use the API; without a key set only tokens of this machine, in dev.
    api_jwks: str | None = None
    api_issuer: str | None = None
    api_audience: str | None = None
    api_policy: Path | None = None
    api_subject_key: bytes | None = field(repr=False, default=None)
    # The API of another machine, for --remote.
    api_url: str | None = None
    api_token: str | None = field(repr=False, default=None)
    # Requests and limits of run pods by mode, as JSON; None means the standard.
    run_resources: str | None = None
    # How entities become rows of an application's tables; None means the tables of `app`.
    target_mapping: Path | None = None
    # In whole millionths of a real; None means the standard price.
    price_million_rows: int | None = None
    price_gib_month: int | None = None
    price_worker_hour: int | None = None
    # Outside of dev: a version without a published canary is not run wider.
    canary_required: bool = False
    is_ci: bool = False

    @property
    def report_store_url(self) -> str:
        return self.worm_url or f"file://{self.home.absolute()}/reports"

    @property
    def env_local(self) -> Path:
        """The file that holds the dev keys."""
        return self.home / ".env.local"


def from_environment(environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings of this process; raises SettingNotUsable."""
    return Settings(
        home=Path(environ.get("SEED_HOME", ".seed")),
        manifests=Path(environ.get("SEED_MANIFESTS_DIR", "manifests")),
        database_url=environ.get("SEED_DATABASE_URL") or None,
        environment=environ.get("SEED_ENVIRONMENT") or None,
        worm_url=environ.get("SEED_WORM_URL") or None,
        vault_addr=environ.get("SEED_VAULT_ADDR") or None,
        vault_token=environ.get("SEED_VAULT_TOKEN") or None,
        vault_role_id=environ.get("SEED_VAULT_ROLE_ID") or None,
        vault_secret_id=environ.get("SEED_VAULT_SECRET_ID") or None,
        vault_kubernetes_role=environ.get("SEED_VAULT_KUBERNETES_ROLE") or None,
        vault_jwt_file=Path(environ["SEED_VAULT_JWT_FILE"]) if environ.get("SEED_VAULT_JWT_FILE") else None,
        vault_namespace=environ.get("SEED_VAULT_NAMESPACE") or None,
        vault_ca_file=environ.get("SEED_VAULT_CA_FILE") or None,
        vault_key_version=_whole(environ, "SEED_VAULT_KEY_VERSION", 1),
        otlp_endpoint=environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
        or environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
        or None,
        trace_url=_trace_url(environ),
        traceparent=_traceparent(environ),
        sentry_dsn=_sentry_dsn(environ),
        lending_oracle_url=_http_url(environ, "SEED_LENDING_ORACLE_URL"),
        lending_oracle_loans=_whole(environ, "SEED_LENDING_ORACLE_LOANS", 0) or None,
        json_logs=_json_logs(environ),
        flags_file=Path(environ["SEED_FLAGS_FILE"]) if environ.get("SEED_FLAGS_FILE") else None,
        api_database_url=environ.get("SEED_API_DATABASE_URL") or None,
        dagster_url=(_http_url(environ, "SEED_DAGSTER_URL") or "http://127.0.0.1:3000").rstrip("/"),
        api_quota=_quota(environ, "SEED_API_QUOTA"),
        api_jwks=environ.get("SEED_API_JWKS") or None,
        api_issuer=environ.get("SEED_API_ISSUER") or None,
        api_audience=environ.get("SEED_API_AUDIENCE") or None,
        api_policy=Path(environ["SEED_API_POLICY"]) if environ.get("SEED_API_POLICY") else None,
        api_subject_key=_secret_key(environ, "SEED_API_SUBJECT_KEY"),
        api_url=environ.get("SEED_API_URL") or None,
        api_token=environ.get("SEED_API_TOKEN") or None,
        run_resources=environ.get("SEED_RUN_RESOURCES") or None,
        target_mapping=Path(environ["SEED_TARGET_MAPPING"]) if environ.get("SEED_TARGET_MAPPING") else None,
        price_million_rows=_price(environ, "SEED_PRICE_MILLION_ROWS_BRL"),
        price_gib_month=_price(environ, "SEED_PRICE_GIB_MONTH_BRL"),
        price_worker_hour=_price(environ, "SEED_PRICE_WORKER_HOUR_BRL"),
        lease_seconds=float(_whole(environ, "SEED_LEASE_SECONDS", 60)),
        canary_required=_canary_required(environ),
        is_ci=environ.get("CI", "").lower() not in ("", "0", "false"),
    )


def _http_url(environ: Mapping[str, str], name: str) -> str | None:
    text = environ.get(name, "")
    if not text:
        return None
    if not re.fullmatch(r"https?://[^\s/@?#]+(/[^\s@?#]*)?", text, re.ASCII):
        # The text may hold a password: it is not shown.
        raise SettingNotUsable(name, "…", wanted="an address such as https://lending.internal, without user or query")
    return text


def _trace_url(environ: Mapping[str, str]) -> str | None:
    text = environ.get("SEED_TRACE_URL", "")
    if not text:
        return None
    if text.count("{trace_id}") != 1 or not re.fullmatch(r"https?://[^\s/@?#{}]+/[^\s@{}]*\{trace_id\}[^\s@{}]*", text):
        raise SettingNotUsable(
            "SEED_TRACE_URL", "…", wanted="an address such as https://tracing.internal/trace/{trace_id}"
        )
    return text


def _traceparent(environ: Mapping[str, str]) -> str | None:
    text = environ.get("TRACEPARENT", "")
    # W3C: what is no context begins a new trace, and is nobody's mistake.
    return text if re.fullmatch(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", text, re.ASCII) else None


def _sentry_dsn(environ: Mapping[str, str]) -> str | None:
    text = environ.get("SENTRY_DSN", "")
    if not text:
        return None
    if not re.fullmatch(r"https?://[0-9A-Za-z]+(:[0-9A-Za-z]+)?@[^\s/@?#]+(/[^\s/@?#]+)*/[0-9]+", text, re.ASCII):
        raise SettingNotUsable("SENTRY_DSN", "…", wanted="an address such as https://KEY@sentry.internal/7")
    return text


def _quota(environ: Mapping[str, str], name: str) -> tuple[int, int]:
    """`600/60`: so many requests in so many seconds."""
    text = environ.get(name, "") or "600/60"
    if not re.fullmatch(r"[1-9][0-9]{0,8}/[1-9][0-9]{0,4}", text, re.ASCII):
        raise SettingNotUsable(name, text, wanted="requests and seconds such as 600/60")
    requests, _, seconds = text.partition("/")
    return int(requests), int(seconds)


def _json_logs(environ: Mapping[str, str]) -> bool:
    text = environ.get("SEED_LOG", "")
    if text not in ("", "json"):
        raise SettingNotUsable("SEED_LOG", text, wanted="json")
    return text == "json"


def _canary_required(environ: Mapping[str, str]) -> bool:
    text = environ.get("SEED_CANARY_REQUIRED", "")
    if text not in ("", "true", "false"):
        raise SettingNotUsable("SEED_CANARY_REQUIRED", text, wanted="true or false")
    return text == "true"


def _secret_key(environ: Mapping[str, str], name: str) -> bytes | None:
    text = environ.get(name, "")
    if not text:
        return None
    if not re.fullmatch(r"([0-9a-fA-F]{2}){32,64}", text, re.ASCII):
        # Not shown: it may be a key with a slip of the pen in it.
        raise SettingNotUsable(name, "…", wanted="a secret of 64 to 128 hexadecimal digits")
    return bytes.fromhex(text)


def _price(environ: Mapping[str, str], name: str) -> int | None:
    """Reais with up to six decimals, as millionths of a real."""
    text = environ.get(name, "")
    if not text:
        return None
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,6})?", text, re.ASCII):
        raise SettingNotUsable(name, text, wanted="a price in reais such as 0.25, with at most six decimals")
    whole, _, part = text.partition(".")
    return int(whole) * 10**6 + int(part.ljust(6, "0"))


def _whole(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name, "")
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise SettingNotUsable(name, text, wanted="a whole number of at least 1")
    return int(text)
