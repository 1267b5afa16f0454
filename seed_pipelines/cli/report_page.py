"""A report as one page of HTML, for people: numbers, plots of rows, latency and budget, and the errors.

The page is whole in itself: it loads nothing, runs nothing and sends nothing, which its own policy enforces. Every
text of the report is escaped. It verifies nothing, and says so.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from seed_pipelines.evidence.canonical import Json
from seed_pipelines.evidence.verify import local_keys_of

_BAR_HEIGHT, _GAP = 16, 6
_LABEL_WIDTH, _PLOT_WIDTH, _VALUE_WIDTH = 190, 460, 230
_BUCKETS_MS = (5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000)
_MICRO = 1_000_000

_STYLE = """
:root { color-scheme: light dark; --ink: #1b2733; --soft: #6b7a89; --line: #d8dee4; --plan: #b9c7d6; --done: #2a6f97;
  --bad: #b3261e; --paper: #ffffff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9aa7b4; --line: #30363d; --plan: #45525f;
  --done: #5aa9d6; --bad: #ff8a80; --paper: #0d1117; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 920px;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .25rem .5rem; border-bottom: 1px solid var(--line); vertical-align: top;
  overflow-wrap: anywhere; font-weight: normal; }
th { color: var(--soft); width: 14rem; }
svg { max-width: 100%; height: auto; } svg text { font: 12px system-ui, sans-serif; fill: var(--ink); }
.plan { fill: var(--plan); } .done { fill: var(--done); } .bad { color: var(--bad); } .note { color: var(--soft); }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar of a plot: what was done in front of what was planned, if anything was."""

    label: str
    done: int
    planned: int | None
    said: str


def page_of(payload: Mapping[str, Json], *, location: str) -> str:
    """The page about one report's payload."""
    title = f"Seed run {_text(payload.get('run_id'))}: {_text(payload.get('outcome'))}"
    sections = (
        _section("Run", _table(_headlines(payload))),
        _section("Rows: planned and actual", _plot(_row_bars(payload))),
        _section("Batches by latency", _plot(_latency_bars(payload)) + _latency_note(payload)),
        _section("Budget", _plot(_budget_bars(payload))),
        _section("Errors", _errors(payload)),
        _section("Checks before the first row", _table(_preflight(payload))),
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body><h1>{escape(title)}</h1>\n"
        f'<p class="note">This page verified nothing. Verify the report with: '
        f"<code>seed-data report verify {escape(location)}</code></p>\n{_banner(payload)}{''.join(sections)}"
        f'<p class="note">{escape(_text(payload.get("statement")))}</p></body></html>\n'
    )


def _banner(payload: Mapping[str, Json]) -> str:
    local = " and ".join(local_keys_of(payload))
    return f'<p class="bad">LOCAL DEVELOPMENT KEY for {escape(local)}: this report proves nothing.</p>' if local else ""


def _section(title: str, body: str) -> str:
    return f"<h2>{escape(title)}</h2>\n{body}\n"


def _table(rows: Iterable[tuple[str, str]]) -> str:
    cells = "".join(f'<tr><th scope="row">{escape(name)}</th><td>{escape(value)}</td></tr>\n' for name, value in rows)
    return f"<table>{cells}</table>"


def _plot(bars: Sequence[Bar]) -> str:
    """Horizontal bars in one scale."""
    if not bars:
        return '<p class="note">nothing is known</p>'
    longest = max(1, *(max(bar.done, bar.planned or 0) for bar in bars))
    step = _BAR_HEIGHT + _GAP
    width, height = _LABEL_WIDTH + _PLOT_WIDTH + _VALUE_WIDTH, step * len(bars)
    drawn = "".join(_bar(bar, top=step * number, longest=longest) for number, bar in enumerate(bars))
    return f'<svg role="img" viewBox="0 0 {width} {height}" width="{width}" height="{height}">{drawn}</svg>'


def _bar(bar: Bar, *, top: int, longest: int) -> str:
    baseline, done = top + _BAR_HEIGHT - 4, bar.done * _PLOT_WIDTH // longest
    planned = 0 if bar.planned is None else bar.planned * _PLOT_WIDTH // longest
    inset = _BAR_HEIGHT // 4
    return (
        f'<text x="{_LABEL_WIDTH - 8}" y="{baseline}" text-anchor="end">{escape(bar.label)}</text>'
        f'<rect class="plan" x="{_LABEL_WIDTH}" y="{top}" width="{planned}" height="{_BAR_HEIGHT}"/>'
        f'<rect class="done" x="{_LABEL_WIDTH}" y="{top + inset}" width="{done}" height="{_BAR_HEIGHT - 2 * inset}"/>'
        f'<text x="{_LABEL_WIDTH + max(done, planned) + 8}" y="{baseline}">{escape(bar.said)}</text>\n'
    )


def _headlines(payload: Mapping[str, Json]) -> list[tuple[str, str]]:
    names = [name for name, value in payload.items() if not isinstance(value, Mapping | list) and name != "statement"]
    masking = _mapping(payload.get("masking_key"))
    telemetry = _mapping(payload.get("telemetry"))
    return [
        *((name, _text(payload[name])) for name in names),
        ("masking key", ", ".join(f"{name} {_text(value)}" for name, value in masking.items())),
        ("telemetry", ", ".join(f"{name} {_text(value)}" for name, value in telemetry.items())),
        ("flags", ", ".join(f"{name} {_text(value)}" for name, value in _mapping(payload.get("flags")).items())),
    ]


def _row_bars(payload: Mapping[str, Json]) -> list[Bar]:
    planned, actual = _mapping(payload.get("planned_rows")), _mapping(payload.get("actual_rows"))
    return [
        Bar(
            label=entity,
            done=_whole(actual.get(entity)),
            planned=_whole(rows),
            said=f"{_whole(actual.get(entity)):,} of {_whole(rows):,}",
        )
        for entity, rows in planned.items()
    ]


def _latency_bars(payload: Mapping[str, Json]) -> list[Bar]:
    latencies = [_whole(batch.get("elapsed_ms")) for batch in _objects(payload.get("batches"))]
    if not latencies:
        return []
    lowest, bars = 0, []
    for bound in _BUCKETS_MS:
        within = sum(1 for latency in latencies if lowest <= latency < bound)
        bars.append(Bar(label=f"{lowest:,} to {bound:,} ms", done=within, planned=None, said=f"{within:,}"))
        lowest = bound
    beyond = sum(1 for latency in latencies if latency >= lowest)
    return [*bars, Bar(label=f"{lowest:,} ms and more", done=beyond, planned=None, said=f"{beyond:,}")]


def _latency_note(payload: Mapping[str, Json]) -> str:
    slo = _mapping(payload.get("slo"))
    targets, reached = _mapping(slo.get("targets")), _mapping(slo.get("reached"))
    pairs = [*targets.items(), *reached.items()]
    said = ", ".join(f"{name} {_text(value)}" for name, value in pairs)
    return f'<p class="note">{escape(said or "no targets are known")}</p>'


def _budget_bars(payload: Mapping[str, Json]) -> list[Bar]:
    budget = _mapping(payload.get("budget_usage"))
    cap = _whole(budget.get("cap_micro_brl"))
    names = ("planned_micro_brl", "spent_micro_brl")
    return [
        Bar(
            label=name.split("_")[0],
            done=_whole(budget.get(name)),
            planned=cap,
            said=_brl(_whole(budget.get(name)), cap),
        )
        for name in names
        if name in budget
    ]


def _brl(micro: int, cap: int) -> str:
    # Whole centavos by integer division: a page about money holds no float.
    return " of ".join(f"R$ {value // _MICRO:,}.{value % _MICRO * 100 // _MICRO:02d}" for value in (micro, cap))


def _errors(payload: Mapping[str, Json]) -> str:
    errors = _objects(payload.get("errors"))
    if not errors:
        return '<p class="note">none</p>'
    items = (f"<li>{escape(_text(error.get('title')))} {escape(_text(error.get('detail')))}</li>" for error in errors)
    return f'<ul class="bad">{"".join(items)}</ul>'


def _preflight(payload: Mapping[str, Json]) -> list[tuple[str, str]]:
    return [
        (
            _text(fact.get("check")),
            f"{'held' if fact.get('ok') is True else 'DID NOT HOLD'}: {_text(fact.get('detail'))}",
        )
        for fact in _objects(payload.get("preflight"))
    ]


def _text(value: Json) -> str:
    return "not known" if value is None else str(value)


def _whole(value: Json) -> int:
    """An amount; integers beyond 2^53 are text in a report."""
    if isinstance(value, str) and value.isdigit():
        return int(value)
    return value if isinstance(value, int) else 0


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}


def _objects(value: Json) -> list[Mapping[str, Json]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
