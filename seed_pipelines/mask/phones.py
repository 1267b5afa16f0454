"""Masked mobile numbers: +55, the area code and the leading 9 stay, the other eight digits change.

The area code selects the permutation, so numbers of one area never meet.
"""

import numpy as np
import pyarrow as pa

from seed_pipelines.errors import NotMaskable
from seed_pipelines.mask.by_length import by_length, from_matrix
from seed_pipelines.mask.digits import digits_of, numbers_of
from seed_pipelines.mask.ff1 import IntegerCipher

_WANTED = "a mobile number in the form +55DD9XXXXXXXX"
_PREFIX = np.frombuffer(b"+55", dtype=np.uint8)
_LENGTH, _SUBSCRIBER, _FREE = 14, 6, 8
# Within an area code.
DOMAIN = 10**_FREE
_ZERO = np.uint8(ord("0"))


def mask_phones(values: pa.Array, *, key: bytes, column: str) -> pa.Array:
    """A text column of other numbers of the same areas; raises NotMaskable."""
    groups = by_length(values)
    wrong = sum(len(matrix) for matrix in groups.matrices if matrix.shape[1] != _LENGTH)
    if wrong:
        raise NotMaskable(column, rows=wrong, wanted=_WANTED)
    if not groups.matrices:
        return values
    texts = groups.matrices[0]
    digits = texts - _ZERO
    valid = (texts[:, : len(_PREFIX)] == _PREFIX).all(axis=1) & (digits[:, len(_PREFIX) :] < 10).all(axis=1)
    valid &= digits[:, _SUBSCRIBER - 1] == 9
    if not valid.all():
        raise NotMaskable(column, rows=int((~valid).sum()), wanted=_WANTED)
    areas, area_index = np.unique(digits[:, 3] * np.uint8(10) + digits[:, 4], return_inverse=True)
    cipher = IntegerCipher(key=key, length=_FREE, tweaks=tuple(b"mobile|ddd|%02d" % area for area in areas.tolist()))
    masked = cipher.encrypt(numbers_of(digits[:, _SUBSCRIBER:], radix=10), area_index)
    result = texts.copy()
    result[:, _SUBSCRIBER:] = digits_of(masked, radix=10, length=_FREE) + _ZERO
    return from_matrix(result, type_=pa.string())
