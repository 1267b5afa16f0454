"""Strong validators of seed runs, and the two preconditions that use them.

An ETag is made by the database of everything that the representation says. `If-Match` is compared strongly and inside
the statement that changes something; `If-None-Match` weakly, as RFC 9110 has it.
"""

import re
from dataclasses import dataclass

from seed_pipelines.errors import HeaderNotUsable, PreconditionMissing

# A list of entity tags, or an asterisk, for the contract.
FORM = r'^(\*|(W/)?"[!#-~]*"( *, *(W/)?"[!#-~]*")*)$'
_TAG = re.compile(r'(W/)?"([!#-~\x80-\xff]*)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """What a header asks for: any representation, or one of these; weak ones apart."""

    any: bool
    strong: tuple[str, ...] = ()
    weak: tuple[str, ...] = ()


def quoted(etag: str) -> str:
    """The header's value."""
    return f'"{etag}"'


def if_match(header: str | None) -> Match:
    """What has to hold for a change; raises PreconditionMissing or HeaderNotUsable."""
    if header is None:
        raise PreconditionMissing
    return _read("If-Match", header)


def is_known(header: str | None, etag: str) -> bool:
    """Whether the caller has this representation already."""
    try:
        known = _read("If-None-Match", header or "")
    except HeaderNotUsable:
        # It only saves sending the answer: what cannot be read is answered in full.
        return False
    return known.any or etag in known.strong or etag in known.weak


def _read(name: str, header: str) -> Match:
    if header.strip() == "*":
        return Match(any=True)
    strong: list[str] = []
    weak: list[str] = []
    for part in header.split(","):
        found = _TAG.fullmatch(part.strip())
        if found is None:
            raise HeaderNotUsable(name, why="is no list of entity tags in quotation marks")
        (weak if found[1] else strong).append(found[2])
    return Match(any=False, strong=tuple(strong), weak=tuple(weak))
