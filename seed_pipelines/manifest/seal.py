"""The hash that seals a manifest, and writing it into a text without touching anything else.

The hash is SHA-256 over the manifest without `integrity.manifest_hash`, as canonical JSON (RFC 8785). A decimal goes
in as the JSON number that it is; the loader lets at most 15 digits through, so that a double holds each exactly and
any RFC 8785 implementation finds the same hash. 50 and 50.0 are one number and give one hash.
"""

import hashlib
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import rfc8785

from seed_pipelines.errors import ManifestRejected
from seed_pipelines.manifest.problems import Fault, Plain
from seed_pipelines.manifest.strict_yaml import Document, read_document

HASH_PATH = ("integrity", "manifest_hash")


def canonical_hash(data: Plain) -> str:
    """The SHA-256 of a manifest's data, in hex; the hash that it carries does not count."""
    return hashlib.sha256(canonical_bytes(data)).hexdigest()


def canonical_bytes(data: Plain) -> bytes:
    """The canonical JSON that is hashed."""
    return rfc8785.dumps(_as_json(_without_hash(data)))


def sealed_text(text: str, *, source: str = "manifest") -> str:
    """The text with its hash put right, in double quotes; every other character stays.

    Raises ManifestRejected where the text is not strict YAML or has no field integrity.manifest_hash.
    """
    document = read_document(text.encode(), source=source)
    if document.problems:
        raise ManifestRejected(document.problems)
    mark = document.values.get(HASH_PATH)
    if mark is None:
        raise ManifestRejected((document.located(_no_place_for_hash()),))
    return f'{text[: mark.start]}"{canonical_hash(document.data)}"{text[mark.stop :]}'


def seal_fault(document: Document) -> Fault | None:
    """The fault of a document whose hash is well-formed but not its own."""
    stated = _stated_hash(document.data)
    if stated is None or document.problems:
        return None
    actual = canonical_hash(document.data)
    if stated == actual:
        return None
    return Fault(
        path=HASH_PATH,
        rule="seal-broken",
        message=f"integrity.manifest_hash {stated[:12]}… is not the hash of this manifest, {actual[:12]}…: "
        "it was changed and not sealed again. Review the change and run `seed-data manifest seal`.",
        value=stated,
        allowed=(actual,),
    )


def _no_place_for_hash() -> Fault:
    return Fault(
        path=HASH_PATH[:1],
        rule="missing-field",
        message='integrity lacks manifest_hash. Add `manifest_hash: "0"` and seal again.',
        on_key=True,
    )


def _stated_hash(data: Plain) -> str | None:
    integrity = data.get("integrity") if isinstance(data, dict) else None
    stated = integrity.get("manifest_hash") if isinstance(integrity, dict) else None
    return stated if isinstance(stated, str) and len(stated) == 64 else None


def _without_hash(data: Plain) -> Plain:
    if not isinstance(data, dict) or not isinstance(data.get("integrity"), dict):
        return data
    integrity = data["integrity"]
    assert isinstance(integrity, dict)  # noqa: S101 (tells the type checker what the line above tested)
    return {**data, "integrity": {name: value for name, value in integrity.items() if name != "manifest_hash"}}


def _as_json(value: Plain) -> Any:
    match value:
        case Decimal():
            return float(value)
        case Mapping():
            return {name: _as_json(below) for name, below in value.items()}
        case list():
            return [_as_json(below) for below in value]
    return value
