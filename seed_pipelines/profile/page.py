"""Profiles as one page of HTML: a table and a picture of each distribution.

The page is whole in itself and loads nothing, which its own policy enforces.
"""

import base64
from collections.abc import Iterable
from html import escape

from seed_pipelines.profile.distribution import Bar, Distribution, Profile
from seed_pipelines.profile.plots import plot_of

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 920px; margin: 2rem auto; padding: 0 1rem; color: #1b2733; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; } img { max-width: 100%; }
th, td { text-align: right; padding: .15rem .6rem; border-bottom: 1px solid #d8dee4; font-weight: normal; }
th:first-child, td:first-child { text-align: left; } .differs { color: #b3261e; }
"""


def page_of(profiles: Iterable[Profile]) -> str:
    """One page about some datasets."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\n"
        f"<title>Profiles</title><style>{_STYLE}</style></head>\n"
        f"<body>{''.join(map(_section, profiles))}</body></html>\n"
    )


def image_tag(png: bytes, *, text: str) -> str:
    """A picture inside the page."""
    return f'<img alt="{escape(text)}" src="{data_uri(png)}">'


def data_uri(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.2f}"


def _section(profile: Profile) -> str:
    about = f"{profile.rows:,} rows as of {profile.reference}; synthetic, and only counted."
    distributions = "".join(map(_distribution, profile.distributions))
    return f"<h1>{escape(profile.title)}</h1>\n<p>{about}</p>\n{distributions}"


def _distribution(distribution: Distribution) -> str:
    verdict = distribution.verdict.value
    head = "<tr><th></th><th>rows</th><th>measured %</th><th>expected %</th><th>difference</th></tr>"
    return (
        f'<h2>{escape(distribution.title)}: <span class="{verdict}">{verdict}</span></h2>\n'
        f"{image_tag(plot_of(distribution), text=distribution.title)}\n"
        f"<table>{head}{''.join(map(_row, distribution.bars))}</table>\n"
    )


def _row(bar: Bar) -> str:
    shares = (percent(bar.share), percent(bar.expected), percent(bar.difference))
    cells = "".join(f"<td>{cell}</td>" for cell in shares)
    return f"<tr><td>{escape(bar.label)}</td><td>{bar.count:,}</td>{cells}</tr>\n"
