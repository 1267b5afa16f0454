"""What FF1 (NIST SP 800-38G, algorithms 7 and 8) needs to know of a domain before it sees a value.

A domain of fewer than a million values is refused: it could be tried out by hand, and revision 1 of the
recommendation forbids it. Sizes are computed in whole numbers, never by logarithms.
"""

from dataclasses import dataclass

from seed_pipelines.errors import SmallDomain
from seed_pipelines.mask.aes_columns import BLOCK_BYTES, cbc_mac

SMALLEST_DOMAIN = 1_000_000
ROUNDS = 10
LARGEST_RADIX = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Ff1Shape:
    """Strings of `length` digits in `radix`; raises SmallDomain."""

    radix: int
    length: int

    def __post_init__(self) -> None:
        if not 2 <= self.radix <= LARGEST_RADIX or self.length < 2:
            msg = f"FF1 needs a radix of 2 to {LARGEST_RADIX} and two digits, not {self.radix} and {self.length}"
            raise ValueError(msg)
        if self.radix**self.length < SMALLEST_DOMAIN:
            raise SmallDomain(self.radix**self.length, least=SMALLEST_DOMAIN)

    @property
    def left(self) -> int:
        """Digits of the left half, `u` in the recommendation."""
        return self.length // 2

    @property
    def right(self) -> int:
        """Digits of the right half, `v` in the recommendation."""
        return self.length - self.left

    @property
    def half_bytes(self) -> int:
        """Bytes that hold the right half as a number, `b` in the recommendation."""
        largest: int = self.radix**self.right - 1
        return (largest.bit_length() + 7) // 8

    @property
    def round_bytes(self) -> int:
        """Bytes of pseudorandom output that each round takes, `d` in the recommendation."""
        return 4 * -(-self.half_bytes // 4) + 4

    def prefix(self, key: bytes, tweak: bytes) -> tuple[bytes, bytes]:
        """What all rows and rounds of one tweak share: the CBC state, and the blocks that come next.

        Those blocks hold zeros where the round number and the half go: its last `half_bytes` bytes and the one before.
        """
        fixed = bytes([1, 2, 1]) + self.radix.to_bytes(3, "big") + bytes([ROUNDS, self.left % 256])
        fixed += self.length.to_bytes(4, "big") + len(tweak).to_bytes(4, "big")
        padding = (-len(tweak) - self.half_bytes - 1) % BLOCK_BYTES
        variable = tweak + bytes(padding + 1 + self.half_bytes)
        cut = len(variable) - self.open_blocks * BLOCK_BYTES
        return cbc_mac(key, fixed + variable[:cut]), variable[cut:]

    @property
    def open_blocks(self) -> int:
        """Blocks at the end that differ from round to round."""
        return -(-(self.half_bytes + 1) // BLOCK_BYTES)
