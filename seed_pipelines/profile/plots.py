"""Profiles as pictures: PNG, drawn by matplotlib without a display.

The same profile gives the same picture under the same version of matplotlib, which is loaded only when one is drawn.
"""

import importlib
import io
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from seed_pipelines.profile.distribution import Distribution, Profile, Verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MEASURED, _EXPECTED, _WRONG, _INK = "#2a6f97", "#b9c7d6", "#b3261e", "#1b2733"
_BAR_INCHES, _FRAME_INCHES = 0.24, 0.75
_PLOT_WIDTH_INCHES, _PLOT_DPI = 6.0, 100
_LABEL_INCHES, _EDGE_INCHES = 1.6, 0.3

# What a sheet shows: few and small, so that it may lie beside an asset.
_ON_A_SHEET = ("product", "state", "age", "rate", "term", "days_late")
_SHEET_COLUMNS, _SHEET_INCHES, _SHEET_DPI = 3, (13.5, 5.2), 70
_MOST_BARS_ON_A_SHEET = 10


def load_drawing() -> None:
    """Load what draws, which takes half a second: meanwhile a caller may ask for what is to be drawn."""
    importlib.import_module("matplotlib.backends.backend_agg")
    importlib.import_module("matplotlib.figure")


def plot_of(distribution: Distribution) -> bytes:
    """One distribution."""
    height = _FRAME_INCHES + _BAR_INCHES * len(distribution.bars)
    return _drawn([distribution], size=(_PLOT_WIDTH_INCHES, height), columns=1, dpi=_PLOT_DPI)


def sheet_of(profile: Profile) -> bytes:
    """The most telling ones side by side; of one with many bars the first."""
    found = {distribution.name: distribution for distribution in profile.distributions}
    shown = [
        replace(found[name], bars=found[name].bars[:_MOST_BARS_ON_A_SHEET]) for name in _ON_A_SHEET if name in found
    ]
    return _drawn(shown, size=_SHEET_INCHES, columns=_SHEET_COLUMNS, dpi=_SHEET_DPI)


def _drawn(distributions: Sequence[Distribution], *, size: tuple[float, float], columns: int, dpi: int) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, dpi=dpi)
    FigureCanvasAgg(figure)
    rows = -(-len(distributions) // columns)
    cells = figure.subplots(rows, columns, squeeze=False).ravel().tolist()
    for cell, distribution in zip(cells, distributions, strict=False):
        _draw(cell, distribution)
    for cell in cells[len(distributions) :]:
        cell.set_axis_off()
    width, height = size
    figure.subplots_adjust(
        left=_LABEL_INCHES / width,
        right=1 - 0.2 / width,
        top=1 - _EDGE_INCHES / height,
        bottom=_EDGE_INCHES / height,
        # Between two plots: in parts of a plot's own size.
        wspace=_LABEL_INCHES / (width / columns - _LABEL_INCHES),
        hspace=2 * _EDGE_INCHES / (height / rows - 2 * _EDGE_INCHES),
    )
    target = io.BytesIO()
    # Without the writer's name the bytes are of the picture alone.
    figure.savefig(target, format="png", metadata={"Software": None})
    return target.getvalue()


def _draw(axes: "Axes", distribution: Distribution) -> None:
    """Shares in percent: what is expected as wide bars, what was measured as narrow ones in front of them."""
    bars = distribution.bars
    places = range(len(bars))
    axes.barh(places, [100 * (bar.expected or 0.0) for bar in bars], height=0.8, color=_EXPECTED, label="expected")
    axes.barh(places, [100 * bar.share for bar in bars], height=0.4, color=_MEASURED, label="measured")
    axes.set_yticks(places, [bar.label for bar in bars], fontsize=8, color=_INK)
    axes.tick_params(axis="x", labelsize=7, colors=_INK)
    axes.invert_yaxis()
    axes.spines[["top", "right"]].set_visible(False)
    differs = distribution.verdict is Verdict.DIFFERS
    # Room for the legend beside the lowest bar.
    axes.set_xlim(0, 135 * max(max(bar.share, bar.expected or 0.0) for bar in bars) or 1)
    totals = {bar.total for bar in bars}
    rows = f" · {totals.pop():,} rows" if len(totals) == 1 else ""
    axes.set_title(distribution.title + rows, fontsize=9, loc="left", color=_WRONG if differs else _INK)
    if distribution.verdict is not Verdict.SHOWN:
        axes.legend(fontsize=7, frameon=False, loc="lower right")
