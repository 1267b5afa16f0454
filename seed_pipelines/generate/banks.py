"""Five banks, and the check digits of their agencies and accounts, whole columns at a time.

The rules are the ones that the banks publish for collection and debit files. An agency has four digits; an account
has as many as its bank says. A check digit may be a letter: X at Banco do Brasil, P at Bradesco. Itaú, Caixa and
Santander have no digit for the agency alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from seed_pipelines.generate.identifiers import AsciiRows
from seed_pipelines.lending.rounding import Int64s

AGENCY_WIDTH = 4
_ZERO = np.uint8(ord("0"))

# One character for each remainder of a division.
_BRASIL_DIGITS = np.frombuffer(b"0X987654321", dtype=np.uint8)
_BRADESCO_DIGITS = np.frombuffer(b"0P987654321", dtype=np.uint8)
_TENS = np.frombuffer(b"0987654321", dtype=np.uint8)
_CAIXA_DIGITS = np.frombuffer(b"01234567890", dtype=np.uint8)

_AGENCY_WEIGHTS = np.array([5, 4, 3, 2])
_BRASIL_WEIGHTS = np.array([9, 8, 7, 6, 5, 4, 3, 2])
_BRADESCO_WEIGHTS = np.array([2, 7, 6, 5, 4, 3, 2])
_ITAU_WEIGHTS = np.array([2, 1, 2, 1, 2, 1, 2, 1, 2])
_CAIXA_WEIGHTS = np.array([8, 7, 6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2])
_SANTANDER_WEIGHTS = np.array([9, 7, 3, 1, 9, 7, 1, 3, 1, 9, 7, 3])


@dataclass(frozen=True, slots=True, kw_only=True)
class Bank:
    """`fixed_width` digits lead an account and say its kind; `free_width` are the account's own.

    The digits of an account are asked for with the agency's before them.
    """

    code: str
    ispb: str
    free_width: int
    account_digit: Callable[[Int64s], AsciiRows]
    agency_digit: Callable[[Int64s], AsciiRows] | None = None
    fixed_width: int = 0
    # Of a hundred accounts.
    share: int

    @property
    def account_width(self) -> int:
        return self.fixed_width + self.free_width

    @property
    def numbers(self) -> int:
        """Agencies and accounts of one kind together."""
        return int(10 ** (AGENCY_WIDTH + self.free_width))


def _weighted(weights: Int64s, *, divisor: int, digits: AsciiRows, skipped: int = 0) -> Callable[[Int64s], AsciiRows]:
    """The character for the remainder of the weighted sum, after the skipped leading digits."""

    def digit_of(values: Int64s) -> AsciiRows:
        return _characters(digits, values[:, skipped:] @ weights % divisor)

    return digit_of


def _itau_digit(values: Int64s) -> AsciiRows:
    products = values * _ITAU_WEIGHTS
    return _characters(_TENS, (products // 10 + products % 10).sum(axis=1) % 10)


def _caixa_digit(values: Int64s) -> AsciiRows:
    return _characters(_CAIXA_DIGITS, values @ _CAIXA_WEIGHTS * 10 % 11)


def _characters(table: AsciiRows, remainders: Int64s) -> AsciiRows:
    column: AsciiRows = table[remainders].reshape(-1, 1)
    return column


BANKS = (
    Bank(
        code="001",
        ispb="00000000",
        free_width=8,
        agency_digit=_weighted(_AGENCY_WEIGHTS, divisor=11, digits=_BRASIL_DIGITS),
        account_digit=_weighted(_BRASIL_WEIGHTS, divisor=11, digits=_BRASIL_DIGITS, skipped=AGENCY_WIDTH),
        share=22,
    ),
    Bank(
        code="033",
        ispb="90400888",
        free_width=8,
        account_digit=_weighted(_SANTANDER_WEIGHTS, divisor=10, digits=_TENS),
        share=12,
    ),
    # Operation 001 or 013 of a person, 003 of a company, then the account.
    Bank(
        code="104",
        ispb="00360305",
        free_width=8,
        fixed_width=3,
        account_digit=_caixa_digit,
        share=28,
    ),
    Bank(
        code="237",
        ispb="60746948",
        free_width=7,
        agency_digit=_weighted(_AGENCY_WEIGHTS, divisor=11, digits=_BRADESCO_DIGITS),
        account_digit=_weighted(_BRADESCO_WEIGHTS, divisor=11, digits=_BRADESCO_DIGITS, skipped=AGENCY_WIDTH),
        share=18,
    ),
    Bank(
        code="341",
        ispb="60701190",
        free_width=5,
        account_digit=_itau_digit,
        share=20,
    ),
)
BANK_CUMULATIVE = tuple(accumulate(bank.share for bank in BANKS))


def agency_digits(bank: Bank, agency: AsciiRows) -> AsciiRows | None:
    """One character a row, or None where the bank has none."""
    return None if bank.agency_digit is None else bank.agency_digit(_values(agency))


def account_digits(bank: Bank, agency: AsciiRows, account: AsciiRows) -> AsciiRows:
    """One character a row."""
    return bank.account_digit(_values(np.hstack((agency, account))))


def _values(digits: AsciiRows) -> Int64s:
    values: Int64s = (digits - _ZERO).astype(np.int64)
    return values
