"""Columns into record batches with exactly the types that the catalogue names."""

from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType

import numpy as np
import pyarrow as pa

from seed_pipelines import catalog
from seed_pipelines.catalog import ColumnType
from seed_pipelines.lending.rounding import Booleans, Dates, Int64s

_ARROW_TYPES = MappingProxyType(
    {
        ColumnType.UUID: pa.binary(),
        ColumnType.BIGINT: pa.int64(),
        ColumnType.INTEGER: pa.int32(),
        ColumnType.SMALLINT: pa.int16(),
        ColumnType.DATE: pa.date32(),
        ColumnType.TIMESTAMP: pa.timestamp("us", tz="UTC"),
        ColumnType.TEXT: pa.string(),
        ColumnType.BYTES: pa.binary(),
    }
)


@cache
def arrow_schema(entity: str) -> pa.Schema:
    """The generated columns of an entity, before masking; a UUID is its 16 bytes."""
    return pa.schema(
        [
            pa.field(column.name, _ARROW_TYPES[column.type], nullable=column.nullable)
            for column in catalog.ENTITIES[entity].columns
        ]
    )


def batch_of(entity: str, columns: Mapping[str, pa.Array]) -> pa.RecordBatch:
    """A batch in the catalogue's column order; whole numbers are narrowed, and refused where they do not fit."""
    schema = arrow_schema(entity)
    arrays = [columns[field.name].cast(field.type) for field in schema]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def numbers(values: Int64s) -> pa.Array:
    return pa.array(values)


def dates(values: Dates, *, missing: Booleans | None = None) -> pa.Array:
    return pa.array(values.astype(np.int64).astype(np.int32), mask=missing).view(pa.date32())


def timestamps(microseconds: Int64s, *, missing: Booleans | None = None) -> pa.Array:
    """Microseconds since 1970 in UTC."""
    return pa.array(microseconds, mask=missing).view(_ARROW_TYPES[ColumnType.TIMESTAMP])


def words(codes: Int64s, table: Sequence[str]) -> pa.Array:
    """The word of each code."""
    return pa.array(table, pa.string()).take(pa.array(codes))


def interleaved(is_second: Booleans, first: pa.Array, second: pa.Array) -> pa.Array:
    """One column out of two: a row is the next of `second` where `is_second` says so, else the next of `first`."""
    order = np.empty(len(is_second), dtype=np.int64)
    order[~is_second] = np.arange(len(first))
    order[is_second] = np.arange(len(second)) + len(first)
    return pa.concat_arrays([first, second]).take(pa.array(order))


def repeated(value: bytes, rows: int) -> pa.Array:
    offsets = np.arange(0, (rows + 1) * len(value), len(value), dtype=np.int32)
    return pa.Array.from_buffers(pa.binary(), rows, [None, pa.py_buffer(offsets), pa.py_buffer(value * rows)])
