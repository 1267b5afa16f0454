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
    json_logs: bool = False
    lease_seconds: float = 60.0
    # Feature flags; None means the provider that the installation registered, if any.
    flags_file: Path | None = None
    # In whole millionths of a real; None means the standard price.
    price_million_rows: int | None = None
    price_gib_month: int | None = None
    price_worker_hour: int | None = None
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
        json_logs=_json_logs(environ),
        flags_file=Path(environ["SEED_FLAGS_FILE"]) if environ.get("SEED_FLAGS_FILE") else None,
        price_million_rows=_price(environ, "SEED_PRICE_MILLION_ROWS_BRL"),
        price_gib_month=_price(environ, "SEED_PRICE_GIB_MONTH_BRL"),
        price_worker_hour=_price(environ, "SEED_PRICE_WORKER_HOUR_BRL"),
        lease_seconds=float(_whole(environ, "SEED_LEASE_SECONDS", 60)),
        is_ci=environ.get("CI", "").lower() not in ("", "0", "false"),
    )


def _json_logs(environ: Mapping[str, str]) -> bool:
    text = environ.get("SEED_LOG", "")
    if text not in ("", "json"):
        raise SettingNotUsable("SEED_LOG", text, wanted="json")
    return text == "json"


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
