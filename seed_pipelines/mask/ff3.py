"""FF3-1 over columns of digit strings, to read or match what other systems masked with it. Not for new data.

NIST took the FF3 family out of SP 800-38G (revision 1, second draft, February 2025) after attacks on it. It is
refused unless the caller states that this is known, and then it warns. No column of the catalogue uses it.
"""

import warnings
from dataclasses import dataclass, field

import numpy as np

from seed_pipelines.errors import SmallDomain, WithdrawnCipher
from seed_pipelines.mask.aes_columns import AesColumn, Bytes, Words
from seed_pipelines.mask.digits import digits_of, numbers_of
from seed_pipelines.mask.ff1_shape import SMALLEST_DOMAIN

TWEAK_BYTES = 7
_ROUNDS = 8
# Remainders are taken 16 bits at a time, in 64.
_LARGEST_HALF = 1 << 48


@dataclass(frozen=True, slots=True, kw_only=True)
class Ff31Cipher:
    """FF3-1 on strings of `length` digits; raises WithdrawnCipher or SmallDomain, and warns where it is accepted."""

    key: bytes = field(repr=False)
    radix: int = 10
    length: int
    tweak: bytes
    withdrawn_is_accepted: bool = False

    def __post_init__(self) -> None:
        if not self.withdrawn_is_accepted:
            raise WithdrawnCipher
        if self.radix**self.length < SMALLEST_DOMAIN:
            raise SmallDomain(self.radix**self.length, least=SMALLEST_DOMAIN)
        if len(self.tweak) != TWEAK_BYTES or self.radix**self.left > _LARGEST_HALF or self.length < 2:
            msg = f"FF3-1 here needs a tweak of {TWEAK_BYTES} bytes and halves below 2^48"
            raise ValueError(msg)
        warnings.warn("FF3-1 was withdrawn by NIST: use it for existing data only", stacklevel=3)

    @property
    def left(self) -> int:
        """Digits of the left half, `u` in the recommendation."""
        return -(-self.length // 2)

    def encrypt(self, digits: Bytes) -> Bytes:
        """The permuted strings; `digits` is (rows, length) of values below the radix."""
        return self._crypt(digits, decrypting=False)

    def decrypt(self, digits: Bytes) -> Bytes:
        """The strings that `encrypt` made these from."""
        return self._crypt(digits, decrypting=True)

    def _crypt(self, digits: Bytes, *, decrypting: bool) -> Bytes:
        if digits.shape[1] != self.length or (digits.size and int(digits.max()) >= self.radix):
            msg = f"the column is not one of {self.length} digits in radix {self.radix}"
            raise ValueError(msg)
        # FF3-1 reads everything backwards: the key, the blocks and the digits of each half.
        aes = AesColumn(self.key[::-1], rows=len(digits))
        halves = [
            numbers_of(digits[:, self.left - 1 :: -1], radix=self.radix),
            numbers_of(digits[:, : self.left - 1 : -1], radix=self.radix),
        ]
        for number in reversed(range(_ROUNDS)) if decrypting else range(_ROUNDS):
            target, source = number % 2, 1 - number % 2
            modulus = np.uint64(self.radix ** (self.length - self.left if target else self.left))
            change = self._round(halves[source], number, aes, modulus)
            halves[target] = (halves[target] + (modulus - change if decrypting else change)) % modulus
        sizes = (self.left, self.length - self.left)
        texts = [digits_of(half, radix=self.radix, length=size) for half, size in zip(halves, sizes, strict=True)]
        return np.concatenate([text[:, ::-1] for text in texts], axis=1)

    def _round(self, source: Words, number: int, aes: AesColumn, modulus: np.uint64) -> Words:
        rows = len(source)
        plain, cipher = aes.plain.view("<u8"), aes.cipher.view("<u8")
        plain[:rows, 0] = source
        plain[:rows, 1] = np.uint64((self._tweak_half(number) ^ number) << 32)
        aes.encrypt(rows)
        total = cipher[:rows, 1] % modulus
        for shift in (48, 32, 16, 0):
            total = (total << np.uint64(16) | cipher[:rows, 0] >> np.uint64(shift) & np.uint64(0xFFFF)) % modulus
        return total

    def _tweak_half(self, number: int) -> int:
        """32 bits of the 56: the left ones in odd rounds, the right ones in even rounds, four zeros at the end."""
        bits = int.from_bytes(self.tweak, "big")
        if number % 2:
            return bits >> 28 << 4
        return (bits & 0xFFFFFF) << 8 | (bits >> 24 & 0xF) << 4
