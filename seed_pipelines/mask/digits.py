"""Columns of digit strings as columns of numbers, and back; a digit is one byte from 0 to radix - 1."""

import numpy as np

from seed_pipelines.mask.aes_columns import Bytes, Words


def numbers_of(digits: Bytes, *, radix: int) -> Words:
    """Each row read as one number, the most significant digit first."""
    numbers = np.zeros(len(digits), dtype=np.uint64)
    for place in range(digits.shape[1]):
        np.multiply(numbers, np.uint64(radix), out=numbers)
        np.add(numbers, digits[:, place], out=numbers)
    return numbers


def digits_of(numbers: Words, *, radix: int, length: int) -> Bytes:
    """The `length` lowest digits of each number, the most significant first."""
    digits = np.empty((len(numbers), length), dtype=np.uint8)
    for place in range(length - 1, -1, -1):
        higher = numbers // np.uint64(radix)
        digits[:, place] = numbers - higher * np.uint64(radix)
        numbers = higher
    return digits
