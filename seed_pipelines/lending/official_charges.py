"""The official IOF and CET: what a loan costs besides its interest, one loan at a time, in Decimal.

IOF is summed unrounded over the instalments and rounded once. CET follows article 4 of Resolução CMN 4.881 (real
dates, 365 days); the periodic solver beside it only reproduces the example that Banco Central publishes.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal, localcontext

from seed_pipelines.errors import LoanImpossible
from seed_pipelines.lending.conventions import Borrower
from seed_pipelines.lending.iof_rates import DAYS_CAP, IOF_RATES, IofRate, iof_rate
from seed_pipelines.lending.official import CENT, DIGITS, WORKING_DIGITS, Installment, Terms, official_schedule

E8 = 100_000_000

# Two neighbouring cents may answer each other for ever; both solvers stop here and take the larger principal.
GROSS_UP_STEPS = 32

# The most that cet_annual_bp holds, which is stored in four bytes.
MOST_CET_BP = 2**31 - 1

_NEWTON_STEPS = 5_000


def raw_iof(installments: Sequence[Installment], *, released_on: date, rate: IofRate) -> Decimal:
    """IOF before its only rounding: a daily part on each amortization, and the additional part."""
    with localcontext(prec=DIGITS):
        daily = sum(
            (row.amortization * min((row.due_on - released_on).days, DAYS_CAP) for row in installments),
            start=Decimal(0),
        )
        principal = sum((row.amortization for row in installments), start=Decimal(0))
        return (daily * rate.daily_e8 + principal * rate.additional_e8) / E8


def official_iof(installments: Sequence[Installment], *, released_on: date, rate: IofRate) -> Decimal:
    """IOF to the cent."""
    raw = raw_iof(installments, released_on=released_on, rate=rate)
    return raw.quantize(CENT, rounding=ROUND_HALF_EVEN)


def official_gross_up(
    asked: Terms, borrower: Borrower, *, table: tuple[IofRate, ...] = IOF_RATES
) -> tuple[Decimal, Decimal]:
    """The principal that covers `asked.principal` after its own IOF is paid out of it, and that IOF.

    Where the rounding of cents leaves no exact answer, the larger principal: the client never gets a cent less.
    """
    principal = asked.principal
    for _ in range(GROSS_UP_STEPS):
        needed = asked.principal + _iof_of(replace(asked, principal=principal), borrower, table)
        if needed == principal:
            break
        principal, previous = needed, principal
    else:
        principal = max(principal, previous)
    return principal, _iof_of(replace(asked, principal=principal), borrower, table)


def _iof_of(terms: Terms, borrower: Borrower, table: tuple[IofRate, ...]) -> Decimal:
    rate = iof_rate(borrower, released_on=terms.released_on, principal_cents=int(terms.principal * 100), table=table)
    return official_iof(official_schedule(terms), released_on=terms.released_on, rate=rate)


def official_cet(
    net: Decimal, *, released_on: date, payments: Sequence[tuple[date, Decimal]], loan: int = 0
) -> Decimal:
    """CET a year as a fraction, unrounded: the rate at which the dated payments are worth the net amount.

    Raises LoanImpossible, which names `loan`, where that rate is not found.
    """
    with localcontext(prec=WORKING_DIGITS):
        gaps = _gaps(released_on, payments)
        daily = _root(lambda factor: _dated_value(factor, gaps, payments), net, loan=loan)
        return _trimmed(daily**-365 - 1)


def official_periodic_cet(net: Decimal, *, payments: Sequence[Decimal]) -> Decimal:
    """The rate a month, as a fraction, if every month were as long as any other."""
    with localcontext(prec=WORKING_DIGITS):
        dated = [(date.min, amount) for amount in payments]
        return _trimmed(1 / _root(lambda factor: _dated_value(factor, [1] * len(payments), dated), net) - 1)


def assert_cet_holds(fraction: Decimal, *, loan: int) -> None:
    """Raises LoanImpossible for a yearly rate that no column holds."""
    if fraction * 10_000 > MOST_CET_BP:
        raise _cet_impossible(loan)


def percent_a_year(fraction: Decimal) -> Decimal:
    """A fraction as a percentage with two decimals, half to even as the norm asks."""
    with localcontext(prec=DIGITS):
        return (fraction * 100).quantize(CENT, rounding=ROUND_HALF_EVEN)


def annual_of_monthly(fraction: Decimal) -> Decimal:
    """Twelve months of a monthly rate."""
    with localcontext(prec=DIGITS):
        return (1 + fraction) ** 12 - 1


def monthly_of_annual(fraction: Decimal) -> Decimal:
    """The monthly rate that twelve times over gives a yearly one."""
    with localcontext(prec=DIGITS):
        return (1 + fraction) ** (Decimal(1) / 12) - 1


def _trimmed(fraction: Decimal) -> Decimal:
    with localcontext(prec=DIGITS):
        return +fraction


def _gaps(released_on: date, payments: Sequence[tuple[date, Decimal]]) -> list[int]:
    starts = (released_on, *(due_on for due_on, _ in payments[:-1]))
    return [(due_on - start).days for start, (due_on, _) in zip(starts, payments, strict=True)]


def _dated_value(
    factor: Decimal, gaps: Sequence[int], payments: Sequence[tuple[date, Decimal]]
) -> tuple[Decimal, Decimal]:
    """The present value at a daily discount factor, and the factor times its derivative."""
    value = slope = Decimal(0)
    powers = {gap: factor**gap for gap in set(gaps)}
    for gap, (_, amount) in zip(reversed(gaps), reversed(payments), strict=True):
        power = powers[gap]
        value += amount
        slope = (slope + gap * value) * power
        value *= power
    return value, slope


def _cet_impossible(loan: int) -> LoanImpossible:
    return LoanImpossible(loan, field="CET", least="-99.99 %", most=f"{MOST_CET_BP // 100} % a year")


def _root(value_of: Callable[[Decimal], tuple[Decimal, Decimal]], net: Decimal, *, loan: int = 0) -> Decimal:
    """The factor at which the value is `net`.

    The value is a polynomial with positive coefficients, so it grows and is convex: from any start Newton's second
    step lies at or above the root, and from there it only comes down.
    """
    factor = Decimal(1)
    for _ in range(_NEWTON_STEPS):
        value, slope = value_of(factor)
        step = factor * (value - net) / slope
        factor -= step
        if abs(step) <= factor.scaleb(3 - WORKING_DIGITS):
            return factor
    raise _cet_impossible(loan)
