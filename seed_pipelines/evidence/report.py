"""The report of one seed run, and the envelope in which it is signed and stored.

A report is a pure function of its evidence and of the key that will sign it: built twice, it has the same bytes.
Nothing is invented: what is not known is null. Text is brought into NFC here, integers beyond 2^53-1 become
text, times are RFC 3339 in UTC; a float or a Decimal is refused.
"""

import dataclasses
import hashlib
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime

from seed_pipelines.errors import ReportNotCanonical, SeedError, error_class_of
from seed_pipelines.evidence.canonical import LARGEST_INTEGER, Json, canonical_bytes
from seed_pipelines.evidence.facts import Problem, RunEvidence
from seed_pipelines.evidence.signature import NO_KEY, Signature, Signer, SigningKey
from seed_pipelines.redaction import scrubbed

REPORT_VERSION = "1.1.0"

STATEMENT = (
    "The data of this seed run are 100 % synthetic: no source data were read, and they describe no real person. A CPF "
    "or CNPJ with valid check digits may by chance belong to somebody, which is why synthetic rows too are masked and "
    "kept apart by tenant; nothing here says anything about that person or company."
)

PAYLOAD_FIELDS = frozenset(field.name for field in dataclasses.fields(RunEvidence)) | {
    "report_version",
    "signed_by",
    "statement",
}
ENVELOPE_FIELDS = frozenset({"payload", "signature_hash", "signature"})

_STATUS_OF_EXIT_CODE = {2: 422, 3: 409, 4: 500, 5: 409}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The payload of one report, in the form that is hashed."""

    payload: Mapping[str, Json]

    @property
    def content(self) -> bytes:
        return canonical_bytes(self.payload)

    @property
    def digest(self) -> bytes:
        """SHA-256 of the canonical payload: what is signed."""
        return hashlib.sha256(self.content).digest()


def report_of(evidence: RunEvidence, *, signed_by: SigningKey = NO_KEY, is_local_key: bool = False) -> Report:
    """The report on `evidence` that `signed_by` will sign."""
    payload = {field.name: json_of(getattr(evidence, field.name)) for field in dataclasses.fields(evidence)}
    flags = {**evidence.flags, "local_signing_key": is_local_key}
    payload["flags"] = json_of(flags)
    payload["report_version"] = REPORT_VERSION
    payload["signed_by"] = json_of(signed_by)
    payload["statement"] = STATEMENT
    return Report(payload=payload)


def sealed_envelope(evidence: RunEvidence, *, signer: Signer | None) -> bytes:
    """The bytes to store. Without a signer the envelope says that it is not signed."""
    if signer is None:
        return envelope_of(report_of(evidence), signature=Signature(signed_by=NO_KEY, value=None))
    report = report_of(evidence, signed_by=signer.identity, is_local_key=signer.is_local)
    return envelope_of(report, signature=signer.sign(report.digest))


def envelope_of(report: Report, *, signature: Signature) -> bytes:
    return canonical_bytes(
        {
            "payload": report.payload,
            "signature_hash": report.digest.hex(),
            "signature": {**_object(signature.signed_by), "value": signature.value},
        }
    )


def problem_of(error: BaseException) -> Problem:
    """Problem Details of an error. Of a foreign one only its class and SQLSTATE: its text may quote a row."""
    if isinstance(error, SeedError):
        title = (type(error).__doc__ or "").split("\n", maxsplit=1)[0]
        status = _STATUS_OF_EXIT_CODE[error.exit_code]
        kind = f"urn:seed-pipelines:problem:{error.code}"
        return Problem(type=kind, title=title, status=status, detail=scrubbed(str(error)))
    sqlstate = getattr(error, "sqlstate", None)
    detail = type(error).__name__ + (f", SQLSTATE {sqlstate}" if sqlstate else "")
    return Problem(
        type="urn:seed-pipelines:problem:unexpected", title="Something unexpected.", status=500, detail=detail
    )


def problem_of_code(code: str, detail: str) -> Problem:
    """Problem Details of an error that the control plane wrote down by its code."""
    kind = error_class_of(code)
    title = (kind.__doc__ or "").split("\n", maxsplit=1)[0] if kind else "Something unexpected."
    status = _STATUS_OF_EXIT_CODE[kind.exit_code] if kind else 500
    return Problem(type=f"urn:seed-pipelines:problem:{code}", title=title, status=status, detail=scrubbed(detail))


def json_of(value: object) -> Json:
    """`value` as a report says it."""
    match value:
        case None | bool():
            return value
        case int():
            return value if abs(value) <= LARGEST_INTEGER else str(value)
        case str():
            return _text(value)
        case datetime():
            return _time(value)
        case Mapping():
            return {_text(str(key)): json_of(item) for key, item in value.items()}
        case tuple() | list():
            return [json_of(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _object(value)
    raise ReportNotCanonical("the evidence", why=f"a {type(value).__name__} has no place in a report")


def _object(value: object) -> dict[str, Json]:
    fields = dataclasses.fields(value)  # type: ignore[arg-type]  # Both callers give an instance of a dataclass.
    return {field.name: json_of(getattr(value, field.name)) for field in fields}


def _text(text: str) -> str:
    # A file name that is not UTF-8 arrives with half surrogates; a report about it must still be written.
    return unicodedata.normalize("NFC", text.encode("utf-8", "backslashreplace").decode("utf-8"))


def _time(moment: datetime) -> str:
    if moment.tzinfo is None:
        raise ReportNotCanonical("the evidence", why="a time has no time zone")
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
