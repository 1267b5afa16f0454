"""Masked contract numbers: other digits, as many of them, and no two the same.

A contract number leads to a customer and says nothing else, so it is stored as masked text: what the number was before
only the tenant's key tells.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from seed_pipelines.errors import NotMaskable
from seed_pipelines.mask.by_length import content, from_matrix
from seed_pipelines.mask.digits import digits_of, numbers_of
from seed_pipelines.mask.ff1 import IntegerCipher

_WIDTH = 16
_PATTERN = f"^[0-9]{{{_WIDTH}}}$"
_ZERO = np.uint8(ord("0"))

NUMBER_DOMAIN = 10**_WIDTH


def mask_contract_numbers(values: pa.Array, *, key: bytes, column: str) -> pa.Array:
    """A text column of other contract numbers; raises NotMaskable."""
    is_right = pc.match_substring_regex(values, pattern=_PATTERN)
    wrong = len(values) - int(pc.sum(is_right, min_count=0).as_py())
    if wrong:
        raise NotMaskable(column, rows=wrong, wanted=f"{_WIDTH} digits")
    digits = content(values).reshape(len(values), _WIDTH) - _ZERO
    cipher = IntegerCipher(key=key, length=_WIDTH, tweaks=(b"contract|number",))
    masked = cipher.encrypt(numbers_of(digits, radix=10))
    return from_matrix(digits_of(masked, radix=10, length=_WIDTH) + _ZERO, type_=pa.string())
