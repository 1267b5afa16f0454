"""Keeping a report for ever: signed, written once, read back, verified; only then it counts.

`preserve` may be called again after any crash, also by a newer release and after the signing key was rotated. Each
call brings other bytes, because signatures are random; when the report that is already kept says the same of the
seed run, and the version of the key that it names has signed it, it is the report. A kept report that says something
else is never replaced and never accepted.
"""

from collections.abc import Mapping

from seed_pipelines.errors import ReportDiverges, ReportNotCanonical, ReportNotVerified
from seed_pipelines.evidence.canonical import Json, canonical_bytes
from seed_pipelines.evidence.facts import RunEvidence
from seed_pipelines.evidence.report import sealed_envelope
from seed_pipelines.evidence.signature import Signer
from seed_pipelines.evidence.verify import payload_of, verify_envelope
from seed_pipelines.outside.report_store import ReportStore, StoredReport, report_key, sha256_of

# No fact of the seed run, but of its first writer: which reports of the tenant were there at that time, which spans had
# arrived, which key signed, and what that release said in words.
_OF_THE_FIRST_WRITER = frozenset(
    {"previous_report_hash", "telemetry", "signed_by", "report_version", "statement", "vocabulary_sha256"}
)
_FACTS_OF_AN_ERROR = ("type", "detail")


def preserve(evidence: RunEvidence, *, store: ReportStore, signer: Signer, public_key_pem: bytes) -> StoredReport:
    """Sign and keep the report on `evidence`; what this returns has been read back and verified."""
    body = sealed_envelope(evidence, signer=signer)
    key = report_key(environment=evidence.environment, tenant=evidence.tenant, run_id=evidence.run_id)
    try:
        stored = store.put(key, body)
    except ReportDiverges as diverges:
        stored, public_key_pem = _kept_before(diverges, body=body, store=store, signer=signer)
    _require_verified(store.get(stored.uri), stored=stored, public_key_pem=public_key_pem)
    return stored


def _kept_before(
    diverges: ReportDiverges, *, body: bytes, store: ReportStore, signer: Signer
) -> tuple[StoredReport, bytes]:
    """The report that is kept already, and the public half of the key that has to have signed it."""
    kept = store.get(diverges.uri)
    try:
        was, would_be = payload_of(kept), payload_of(body)
    except ReportNotCanonical:
        raise diverges from None
    if _facts_of(was) != _facts_of(would_be):
        raise diverges
    stored = StoredReport(uri=diverges.uri, version_id=diverges.version_id, sha256=sha256_of(kept), size=len(kept))
    return stored, signer.public_key_pem_at(_key_version(was, diverges))


def _facts_of(payload: Mapping[str, Json]) -> bytes:
    """What a report says of its seed run, whoever writes it and when."""
    facts = {field: value for field, value in payload.items() if field not in _OF_THE_FIRST_WRITER}
    errors = facts["errors"]
    facts["errors"] = [_facts_of_error(error) for error in errors] if isinstance(errors, list) else errors
    return canonical_bytes(facts)


def _facts_of_error(error: Json) -> Json:
    return {name: error.get(name) for name in _FACTS_OF_AN_ERROR} if isinstance(error, Mapping) else error


def _key_version(payload: Mapping[str, Json], diverges: ReportDiverges) -> int:
    signed_by = payload["signed_by"]
    version = signed_by.get("key_version") if isinstance(signed_by, Mapping) else None
    if not isinstance(version, int):
        raise ReportNotVerified(diverges.uri, why="it names no version of a signing key")
    return version


def _require_verified(content: bytes, *, stored: StoredReport, public_key_pem: bytes) -> None:
    if sha256_of(content) != stored.sha256:
        raise ReportNotVerified(stored.uri, why="it was read twice, and the bytes differ")
    verification = verify_envelope(content, public_key_pem=public_key_pem)
    if not verification.ok:
        why = "; ".join(f"{doubt.name}: {doubt.detail}" for doubt in verification.doubts)
        raise ReportNotVerified(stored.uri, why=why)
