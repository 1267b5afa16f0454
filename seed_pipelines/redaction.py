"""What may leave the process in a log line, a span or a metric: an allow-list of keys, and text without people.

A key that is not on the list is dropped with its value, whatever it is. The patterns (CPF, CNPJ, e-mail, phone)
are the second net, for text under an allowed key; they cannot know a name, so no row is ever given to a log.
An exception is reduced to its class, its stable code and its SQLSTATE: messages of foreign errors quote rows.
"""

import re
from collections.abc import Mapping
from typing import TypeAlias

from seed_pipelines.errors import SeedError

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
