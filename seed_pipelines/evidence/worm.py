"""Keeping a report for ever: signed, written once, read back, verified; only then it counts.

`preserve` may be called again after any crash. Signatures are random and the chain may have grown in between, so
a second call brings other bytes; when the report that is already kept is well signed and says the same of the
seed run, it is the report. A kept report that says something else is never replaced and never accepted.
"""

from seed_pipelines.errors import ReportDiverges, ReportNotCanonical, ReportNotVerified
from seed_pipelines.evidence.canonical import canonical_bytes
from seed_pipelines.evidence.facts import RunEvidence
from seed_pipelines.evidence.report import sealed_envelope
from seed_pipelines.evidence.signature import Signer
from seed_pipelines.evidence.verify import payload_of, verify_envelope
from seed_pipelines.outside.report_store import ReportStore, StoredReport, report_key, sha256_of

# Decided by the first write: which reports of the tenant were there at that time, and which spans had arrived.
_OF_THE_FIRST_WRITE = frozenset({"previous_report_hash", "telemetry"})


def preserve(evidence: RunEvidence, *, store: ReportStore, signer: Signer, public_key_pem: bytes) -> StoredReport:
    """Sign and keep the report on `evidence`; what this returns has been read back and verified."""
    body = sealed_envelope(evidence, signer=signer)
    key = report_key(environment=evidence.environment, tenant=evidence.tenant, run_id=evidence.run_id)
    try:
        stored = store.put(key, body)
    except ReportDiverges as diverges:
        stored = _kept_before(diverges, body=body, store=store)
    _require_verified(store.get(stored.uri), stored=stored, public_key_pem=public_key_pem)
    return stored


def _kept_before(diverges: ReportDiverges, *, body: bytes, store: ReportStore) -> StoredReport:
    kept = store.get(diverges.uri)
    if not _says_the_same(kept, body):
        raise diverges
    return StoredReport(uri=diverges.uri, version_id=diverges.version_id, sha256=sha256_of(kept), size=len(kept))


def _says_the_same(kept: bytes, body: bytes) -> bool:
    try:
        was, would_be = payload_of(kept), payload_of(body)
    except ReportNotCanonical:
        return False
    fields = was.keys() - _OF_THE_FIRST_WRITE
    return all(canonical_bytes(was[field]) == canonical_bytes(would_be[field]) for field in fields)


def _require_verified(content: bytes, *, stored: StoredReport, public_key_pem: bytes) -> None:
    if sha256_of(content) != stored.sha256:
        raise ReportNotVerified(stored.uri, why="it was read twice, and the bytes differ")
    verification = verify_envelope(content, public_key_pem=public_key_pem)
    if not verification.ok:
        why = "; ".join(f"{doubt.name}: {doubt.detail}" for doubt in verification.doubts)
        raise ReportNotVerified(stored.uri, why=why)
