"""Sealed manifests on disk, whose window is open now whenever the tests run."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from factories import manifest_data

from seed_pipelines.manifest.seal import canonical_hash


def window_around(now, *, before_hours=2, after_hours=12):
    """A window that opened some hours ago and closes some hours from now."""
    opened, closes = now - timedelta(hours=before_hours), now + timedelta(hours=after_hours)
    return {"start_utc": f"{opened:%H:%M}", "end_utc": f"{closes:%H:%M}"}


def manifest_text(*, window=None, rate_limit=None, backoff=None, **wishes):
    """The text of a sealed manifest; JSON is YAML too."""
    data = manifest_data(**wishes)
    data["window"] = window or window_around(datetime.now(UTC))
    data["rate_limit"] |= rate_limit or {}
    data["backoff"] |= backoff or {}
    del data["integrity"]["manifest_hash"]
    data["integrity"]["manifest_hash"] = canonical_hash(data)
    return json.dumps(data, indent=2, default=_number)


def write_manifest(folder: Path, *, tenant="acme", environment="dev", **wishes) -> str:
    """Write one and return its hash."""
    text = manifest_text(tenant=tenant, environment=environment, **wishes)
    path = folder / environment / f"{tenant}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return json.loads(text)["integrity"]["manifest_hash"]


def _number(value):
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(type(value))
