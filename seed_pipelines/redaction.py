"""What may leave the process in a log line, a span or a metric: an allow-list of keys, and text without people.

A key that is not on the list is dropped with its value, whatever it is. The patterns (CPF, CNPJ, e-mail, phone)
are the second net, for text under an allowed key; they cannot know a name, so no row is ever given to a log.
An exception is reduced to its class, its stable code and its SQLSTATE: messages of foreign errors quote rows. Where an
error is stored or shown as a whole (Dagster's event log, a terminal), a foreign one is replaced by one of ours.
"""

import re
from collections.abc import Mapping
from types import TracebackType
from typing import TypeAlias

from seed_pipelines.errors import SeedError, Unexpected

Plain: TypeAlias = bool | int | float | str

# The words of a seed run; the same keys in spans, metrics and logs.
ALLOWED_KEYS = frozenset(
    {
        "attempt",
        "batch",
        "budget_pct",
        "code",
        "commit",
        "dataset_hash",
        "dry_run",
        "elapsed_ms",
        "entity",
        "environment",
        "error_class",
        "error_code",
        "event",
        "exporter",
        "fence",
        "http_method",
        "http_route",
        "http_status",
        "level",
        "logger",
        "manifest_hash",
        "manifest_path",
        "manifest_version",
        "mode",
        "otel_span_id",
        "otel_trace_id",
        "outcome",
        "pii_redacted",
        "planned_rows",
        "problems",
        "profile_version",
        "publisher",
        "report_uri",
        "resumed_batches",
        "rows",
        "rows_per_second",
        "seed_run_id",
        "shard",
        "sqlstate",
        "state",
        "tenant_id",
        "timestamp",
        "waited_ms",
    }
)

_LONGEST_TEXT = 1_000

_PATTERNS = (
    (re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+"), "[e-mail]"),
    (re.compile(r"(?<![\dA-Za-z])\d{3}\.\d{3}\.\d{3}-\d{2}(?!\d)"), "[cpf]"),
    (re.compile(r"(?<![\dA-Za-z])[\dA-Z]{2}\.[\dA-Z]{3}\.[\dA-Z]{3}/[\dA-Z]{4}-\d{2}(?!\d)"), "[cnpj]"),
    (re.compile(r"\+55[ (]*\d{2}[ )]*9?\d{4}[- ]?\d{4}(?!\d)"), "[phone]"),
    # Inside a hash these digits are not a document, so letters beside them end the match too.
    (re.compile(r"(?<![\dA-Za-z])\d{14}(?![\dA-Za-z])"), "[cnpj]"),
    (re.compile(r"(?<![\dA-Za-z])\d{11}(?![\dA-Za-z])"), "[cpf]"),
)


def scrubbed(text: str) -> str:
    """`text` with everything that looks like a document, an e-mail or a phone number taken out."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text[:_LONGEST_TEXT]


def allowed(values: Mapping[str, object]) -> dict[str, Plain]:
    """What may leave of `values`: plain values under an allowed key, text scrubbed."""
    found: dict[str, Plain] = {}
    for key, value in values.items():
        if key not in ALLOWED_KEYS or value is None:
            continue
        found[key] = value if isinstance(value, bool | int | float) else scrubbed(str(value))
    return found


def facts_of(error: BaseException) -> dict[str, str]:
    """All that may be said of an error outside of the terminal that asked: class, code, SQLSTATE."""
    facts = {"error_class": type(error).__name__}
    if isinstance(error, SeedError):
        facts["error_code"] = error.code
    for candidate in (error, error.__cause__):
        sqlstate = getattr(candidate, "sqlstate", None)
        if isinstance(sqlstate, str):
            facts["sqlstate"] = sqlstate[:5]
            break
    return facts


def shown(error: Exception) -> SeedError:
    """Ours as it is; any other as its class, its SQLSTATE and the line that raised it, without its text."""
    if isinstance(error, SeedError):
        return error
    return Unexpected(type(error).__name__, place=_place_of(error.__traceback__), sqlstate=_sqlstate_of(error))


def _sqlstate_of(error: Exception) -> str | None:
    state = getattr(error, "sqlstate", None)
    return state if isinstance(state, str) else None


def _place_of(traceback: TracebackType | None) -> str:
    """Module and line, innermost: enough to find the fault, and nothing that a value could be part of."""
    if traceback is None:
        return "an unknown place"
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    return f"{traceback.tb_frame.f_globals.get('__name__', '?')}:{traceback.tb_lineno}"
