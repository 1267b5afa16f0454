"""Verification of reports, offline: from the stored bytes and a public key alone.

Every check says what it looked at. Whatever cannot be checked is a doubt, and one doubt is enough for the whole
to be not ok: without a public key nothing is verified. Checks never raise for what the bytes hold.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from seed_pipelines.errors import ReportNotCanonical
from seed_pipelines.evidence.canonical import Json, canonical_bytes, is_canonical, parse
from seed_pipelines.evidence.report import ENVELOPE_FIELDS, PAYLOAD_FIELDS
from seed_pipelines.evidence.signature import NOT_SIGNED, RSA_PSS_SHA256, is_signed_by, public_key_sha256

_DEV, _ENV_LOCAL = "dev", "env_local"
_SIGNATURE_FIELDS = frozenset({"algorithm", "key", "key_version", "public_key_sha256", "value"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """All checks of a report, in the order in which they were made. A failed one may end them early."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        return bool(self.checks) and all(check.ok for check in self.checks)

    @property
    def doubts(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if not check.ok)


def verify_envelope(content: bytes, *, public_key_pem: bytes | None = None) -> Verification:
    """Whether these bytes are the report that the owner of the public key signed."""
    try:
        envelope = parse(content)
    except ReportNotCanonical as doubt:
        return Verification(checks=(Check(name="readable", ok=False, detail=str(doubt)),))
    readable = Check(name="readable", ok=True, detail=f"{len(content)} bytes of strict JSON")
    shape = _shape(envelope)
    if not shape.ok or not isinstance(envelope, Mapping):
        return Verification(checks=(readable, shape))
    canonical = Check(
        name="canonical", ok=is_canonical(content, envelope), detail="the stored bytes are the RFC 8785 form"
    )
    return Verification(
        checks=(readable, shape, canonical, *_seal_checks(envelope, public_key_pem), *_content_checks(envelope))
    )


def verify_chain(contents: Sequence[bytes]) -> Verification:
    """Whether these reports are one unbroken chain, oldest first, from a tenant's first report on."""
    before, checks = None, []
    for number, content in enumerate(contents):
        checks.append(_link(content, number=number, before=before))
        before = hashlib.sha256(content).hexdigest()
    return Verification(checks=tuple(checks))


def payload_of(content: bytes) -> Mapping[str, Json]:
    """The payload of an envelope, for reading; it is not verified by this."""
    envelope = parse(content)
    shape = _shape(envelope)
    payload = envelope["payload"] if shape.ok and isinstance(envelope, Mapping) else None
    if not isinstance(payload, Mapping):
        raise ReportNotCanonical("the report", why=shape.detail)
    return payload


def local_keys_of(payload: Mapping[str, Json]) -> tuple[str, ...]:
    """Which keys of the machine that ran the seed run had a part in it: whoever had the machine had them."""
    masking, flags = _mapping(payload.get("masking_key")), _mapping(payload.get("flags"))
    parts = {"masking": masking.get("source") == _ENV_LOCAL, "signing": flags.get("local_signing_key") is True}
    return tuple(part for part, is_local in parts.items() if is_local)


def _shape(envelope: Json) -> Check:
    return Check(name="shape", ok=not (wrong := _wrong_shape(envelope)), detail=wrong or "every field is there")


def _wrong_shape(envelope: Json) -> str | None:
    if not isinstance(envelope, Mapping):
        return "it is not an object"
    parts = (
        ("the envelope", envelope, ENVELOPE_FIELDS),
        ("the payload", envelope.get("payload"), PAYLOAD_FIELDS),
        ("the signature", envelope.get("signature"), _SIGNATURE_FIELDS),
    )
    for name, part, fields in parts:
        if not isinstance(part, Mapping):
            return f"{name} is not an object"
        if part.keys() != fields:
            differing = ", ".join(sorted(key[:40] for key in part.keys() ^ fields)[:5])
            return f"{name} lacks or adds {differing}"
    return None


def _seal_checks(envelope: Mapping[str, Json], public_key_pem: bytes | None) -> Iterator[Check]:
    payload, signature = _mapping(envelope["payload"]), _mapping(envelope["signature"])
    digest = hashlib.sha256(canonical_bytes(payload)).digest()
    yield Check(
        name="signature_hash",
        ok=envelope["signature_hash"] == digest.hex(),
        detail=f"SHA-256 of the payload is {digest.hex()}",
    )
    named = {key: value for key, value in signature.items() if key != "value"}
    yield Check(
        name="signing key",
        ok=canonical_bytes(payload["signed_by"]) == canonical_bytes(named),
        detail="the payload and the envelope name the same key",
    )
    yield _signature(signature, digest=digest, public_key_pem=public_key_pem)


def _signature(signature: Mapping[str, Json], *, digest: bytes, public_key_pem: bytes | None) -> Check:
    value = signature["value"]
    if signature["algorithm"] == NOT_SIGNED or not isinstance(value, str):
        return Check(name="signature", ok=False, detail="the report is not signed")
    if signature["algorithm"] != RSA_PSS_SHA256:
        return Check(name="signature", ok=False, detail=f"only {RSA_PSS_SHA256} is accepted")
    if public_key_pem is None:
        detail = f"not checked: give the public key with SHA-256 {signature['public_key_sha256']}"
        return Check(name="signature", ok=False, detail=detail)
    try:
        known = public_key_sha256(public_key_pem)
    except ValueError:
        return Check(name="signature", ok=False, detail="the public key given is not RSA of 2048 bits or more")
    if signature["public_key_sha256"] != known:
        return Check(name="signature", ok=False, detail=f"another key signed; the one given is {known}")
    ok = is_signed_by(public_key_pem, digest=digest, value=value)
    return Check(name="signature", ok=ok, detail=f"{RSA_PSS_SHA256} by public key {known}")


def _content_checks(envelope: Mapping[str, Json]) -> Iterator[Check]:
    payload = _mapping(envelope["payload"])
    yield _keys(payload)
    batches, checkpoints = _objects(payload["batches"]), _objects(payload["checkpoints"])
    written: Counter[Json] = Counter()
    for batch in batches:
        rows = batch.get("rows")
        written[_hashable(batch.get("entity"))] += rows if isinstance(rows, int) else 0
    actual = {entity: rows for entity, rows in _mapping(payload["actual_rows"]).items() if rows != 0}
    yield Check(name="rows", ok=dict(written) == actual, detail="the batches add up to the actual rows")
    yield Check(
        name="checkpoints",
        ok=Counter(map(_batch_key, batches)) == Counter(map(_batch_key, checkpoints)),
        detail=f"{len(batches)} batches, each with its checkpoint",
    )
    if payload["outcome"] == "published":
        ok = payload["planned_rows"] == payload["actual_rows"] and payload["dataset_hash"] is not None
        yield Check(name="published", ok=ok, detail="every planned row is in, and the dataset has a hash")


def _keys(payload: Mapping[str, Json]) -> Check:
    local, environment = local_keys_of(payload), payload["environment"]
    if not local:
        return Check(name="keys", ok=True, detail="no key of the machine that ran it")
    detail = f"LOCAL DEVELOPMENT KEY for {' and '.join(local)}: it proves nothing to anybody else"
    if environment != _DEV:
        detail = f"a local development key for {' and '.join(local)}, which environment {environment} may not use"
    return Check(name="keys", ok=environment == _DEV, detail=detail)


def _link(content: bytes, *, number: int, before: str | None) -> Check:
    name = f"link {number}"
    try:
        said = payload_of(content)["previous_report_hash"]
    except ReportNotCanonical as doubt:
        return Check(name=name, ok=False, detail=str(doubt))
    expected = "the first of its chain" if before is None else f"follows {before}"
    return Check(name=name, ok=said == before, detail=f"{expected}; the report says {said}")


def _batch_key(batch: Mapping[str, Json]) -> tuple[Json, ...]:
    return tuple(_hashable(batch.get(key)) for key in ("entity", "shard", "number"))


def _hashable(value: Json) -> Json:
    return value if isinstance(value, str | int) else None


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}


def _objects(value: Json) -> list[Mapping[str, Json]]:
    is_array = isinstance(value, Sequence) and not isinstance(value, str)
    return [_mapping(item) for item in value] if is_array and isinstance(value, Sequence) else []
