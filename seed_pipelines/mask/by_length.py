"""Text columns as byte matrices, one for each length of value, so that ciphers see rectangles.

`by_length` sorts the rows by the bytes of their values; `restored` puts results back in the order of the rows.
Columns with nulls are refused: the caller takes the nulls out first.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from seed_pipelines.mask.aes_columns import Bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthGroups:
    """A column cut by length: `order[k]` is the row that comes k-th; `matrices` hold those rows in that order."""

    order: NDArray[np.intp]
    matrices: tuple[Bytes, ...]

    def rows_of_groups(self) -> list[NDArray[np.intp]]:
        """The rows of each matrix."""
        ends = itertools.accumulate(len(matrix) for matrix in self.matrices)
        return [self.order[end - len(matrix) : end] for matrix, end in zip(self.matrices, ends, strict=True)]

    def restored(self, matrices: Sequence[Bytes], *, type_: pa.DataType) -> pa.Array:
        """One value for each row of the original column, out of one matrix for each group."""
        if not matrices:
            return pa.array([], type=type_)
        if len(matrices) == 1:
            return from_matrix(matrices[0], type_=type_)
        widths = np.repeat([m.shape[1] for m in matrices], [len(m) for m in matrices])
        sorted_values = from_bytes(np.concatenate([m.ravel() for m in matrices]), widths, type_=type_)
        back = np.empty_like(self.order)
        back[self.order] = np.arange(len(self.order))
        return sorted_values.take(pa.array(back))


def by_length(values: pa.Array) -> LengthGroups:
    """The groups, shortest first. `values` is text or binary."""
    lengths = pc.binary_length(values).to_numpy()
    order = np.argsort(lengths, kind="stable")
    ordered = lengths[order]
    bounds = np.flatnonzero(np.diff(ordered, prepend=-1, append=-1))
    if len(bounds) > 2:
        values = values.take(pa.array(order))
    data = content(values)
    matrices, at = [], 0
    for start, end in itertools.pairwise(bounds):
        size = int(ordered[start]) * int(end - start)
        matrices.append(data[at : at + size].reshape(end - start, ordered[start]))
        at += size
    return LengthGroups(order=order, matrices=tuple(matrices))


def content(values: pa.Array) -> Bytes:
    """The bytes of all values, one after the other; a view, not to be written to."""
    if values.null_count:
        msg = "a column with nulls has no matrix: take the nulls out first"
        raise ValueError(msg)
    _, offsets, data = values.buffers()
    if len(values) == 0 or data is None:
        return np.empty(0, dtype=np.uint8)
    bounds = np.frombuffer(offsets, dtype=np.int32)[values.offset : values.offset + len(values) + 1]
    return np.frombuffer(data, dtype=np.uint8)[bounds[0] : bounds[-1]]


def from_bytes(data: Bytes, lengths: NDArray[np.integer], *, type_: pa.DataType) -> pa.Array:
    """A text or binary column out of its bytes and the length of each value."""
    offsets = np.zeros(len(lengths) + 1, dtype=np.int32)
    np.cumsum(lengths, out=offsets[1:])
    return pa.Array.from_buffers(type_, len(lengths), [None, pa.py_buffer(offsets), pa.py_buffer(data)])


def with_nulls(values: pa.Array, present: NDArray[np.bool]) -> pa.Array:
    """The values where `present` is set, in order, and nulls elsewhere; their bytes are not copied."""
    _, offsets, data = values.buffers()
    bounds = np.frombuffer(offsets, dtype=np.int32)[values.offset :]
    starts = bounds[np.concatenate(([0], np.cumsum(present)))]
    buffers = [pa.py_buffer(np.packbits(present, bitorder="little")), pa.py_buffer(starts), data]
    return pa.Array.from_buffers(values.type, len(present), buffers)


def from_matrix(matrix: Bytes, *, type_: pa.DataType) -> pa.Array:
    """A column of values of one length."""
    return from_bytes(matrix.ravel(), np.full(len(matrix), matrix.shape[1]), type_=type_)


def rows_of(matrix: Bytes) -> list[bytes]:
    """Each row as one bytes object, made without a Python step for each."""
    rows: list[bytes] = np.ascontiguousarray(matrix).view(f"V{matrix.shape[1]}").ravel().tolist()
    return rows
