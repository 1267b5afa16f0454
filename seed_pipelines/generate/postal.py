"""Which postal codes belong to which states: the ranges of the Correios, by their first five digits."""

from types import MappingProxyType

# Both ends included.
PREFIXES = MappingProxyType(
    {
        "SP": ((1_000, 19_999),),
        "RJ": ((20_000, 28_999),),
        "ES": ((29_000, 29_999),),
        "MG": ((30_000, 39_999),),
        "BA": ((40_000, 48_999),),
        "SE": ((49_000, 49_999),),
        "PE": ((50_000, 56_999),),
        "AL": ((57_000, 57_999),),
        "PB": ((58_000, 58_999),),
        "RN": ((59_000, 59_999),),
        "CE": ((60_000, 63_999),),
        "PI": ((64_000, 64_999),),
        "MA": ((65_000, 65_999),),
        "PA": ((66_000, 68_899),),
        "AP": ((68_900, 68_999),),
        "AM": ((69_000, 69_299), (69_400, 69_899)),
        "RR": ((69_300, 69_399),),
        "AC": ((69_900, 69_999),),
        "DF": ((70_000, 72_799), (73_000, 73_699)),
        "GO": ((72_800, 72_999), (73_700, 76_799)),
        "RO": ((76_800, 76_999),),
        "TO": ((77_000, 77_999),),
        "MT": ((78_000, 78_899),),
        "MS": ((79_000, 79_999),),
        "PR": ((80_000, 87_999),),
        "SC": ((88_000, 89_999),),
        "RS": ((90_000, 99_999),),
    }
)

# States with fewer than a million postal codes stand together with neighbours.
_SMALL = (("AP", "AM", "RR", "AC"), ("RO", "MT"))
AREAS = (*_SMALL, *((uf,) for uf in PREFIXES if not any(uf in area for area in _SMALL)))


def ranges_of(area: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    """The first postal code of each range of some states, and the number of codes in it; in order."""
    spans = sorted(span for uf in area for span in PREFIXES[uf])
    return tuple((first * 1_000, (last - first + 1) * 1_000) for first, last in spans)
