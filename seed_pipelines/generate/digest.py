"""A hash of content that does not depend on how the rows were cut, ordered or written.

Each row gives two 64-bit words, mixed from all its values and its row number; the digest of rows is the sum of
theirs. So batches add up to the dataset's digest whatever their size and order. It finds every accident (a value,
row, column or order changed, a row lost or doubled); it is no defence against a forger, for which reports are signed.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa

from seed_pipelines.generate.permutation import mix
from seed_pipelines.generate.streams import Uint64s
from seed_pipelines.generate.version import GENERATOR_VERSION
from seed_pipelines.generate.vocabulary import vocabulary
from seed_pipelines.lending.rounding import Int64s

_LANES = 2
_WRAP = 2**64

# A text column with fewer than one distinct value in so many rows is hashed value by value, not row by row.
_ROWS_PER_WORD = 8


@dataclass(frozen=True, slots=True)
class ContentDigest:
    """Sums modulo 2^64, one a lane."""

    lanes: tuple[int, ...]

    @classmethod
    def zero(cls) -> Self:
        """The digest of no rows."""
        return cls((0,) * _LANES)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The digest that `hex` wrote."""
        return cls(tuple(int(text[start : start + 16], 16) for start in range(0, 16 * _LANES, 16)))

    def combine(self, other: "ContentDigest") -> "ContentDigest":
        """The digest of both sets of rows together."""
        return ContentDigest(tuple((a + b) % _WRAP for a, b in zip(self.lanes, other.lanes, strict=True)))

    def hex(self) -> str:
        return "".join(f"{lane:016x}" for lane in self.lanes)


def digest_of(batch: pa.RecordBatch, *, first_row: int) -> ContentDigest:
    """The digest of rows first_row … of an entity; empty text, zero and null are told apart."""
    rows = np.arange(first_row, first_row + batch.num_rows, dtype=np.int64).view(np.uint64)
    columns = [(name, _Column.of(column)) for name, column in zip(batch.schema.names, batch.columns, strict=True)]
    return ContentDigest(tuple(_lane(columns, rows, lane) for lane in range(_LANES)))


def dataset_hash(
    digests: Mapping[str, tuple[int, ContentDigest]],
    *,
    generator_version: str = GENERATOR_VERSION,
    vocabulary_sha256: str | None = None,
) -> str:
    """SHA-256 that names a whole dataset: rows and digest of every entity, and what made them."""
    named = {
        "entities": {entity: [rows, digest.hex()] for entity, (rows, digest) in digests.items()},
        "generator_version": generator_version,
        "vocabulary_sha256": vocabulary_sha256 or vocabulary().sha256,
    }
    return hashlib.sha256(json.dumps(named, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class _Column:
    """A column as 64-bit words, 0 where null."""

    words: Uint64s
    is_null: Uint64s | None

    @classmethod
    def of(cls, column: pa.Array) -> Self:
        is_null = column.is_null().to_numpy(zero_copy_only=False).astype(np.uint64) if column.null_count else None
        if pa.types.is_string(column.type) or pa.types.is_binary(column.type):
            return cls(_text_words(column), is_null)
        return cls(_number_words(column), is_null)


def _lane(columns: list[tuple[str, _Column]], rows: Uint64s, lane: int) -> int:
    total = rows * _key("row number", lane)
    for name, column in columns:
        total += column.words * _key(f"value of {name}", lane)
        if column.is_null is not None:
            total += column.is_null * _key(f"null in {name}", lane)
    return int(mix(mix(total)).sum(dtype=np.uint64))


def _key(purpose: str, lane: int) -> np.uint64:
    """A fixed odd number, so that multiplying by it loses nothing."""
    digest = hashlib.sha256(f"content digest, lane {lane}: {purpose}".encode()).digest()
    return np.uint64(int.from_bytes(digest[:8], "big") | 1)


def _number_words(column: pa.Array) -> Uint64s:
    width = column.type.bit_width
    plain = column.view(pa.int64() if width == 64 else pa.int32() if width == 32 else pa.int16())
    filled = plain.fill_null(0) if plain.null_count else plain
    values: Uint64s = filled.to_numpy().astype(np.int64).view(np.uint64)
    return values


def _text_words(column: pa.Array) -> Uint64s:
    if column.null_count:
        column = column.fill_null("" if pa.types.is_string(column.type) else b"")
    encoded = column.dictionary_encode()
    if len(encoded.dictionary) * _ROWS_PER_WORD > len(column):
        return _hashed_texts(column)
    words: Uint64s = _hashed_texts(encoded.dictionary)[encoded.indices.to_numpy()]
    return words


def _hashed_texts(column: pa.Array) -> Uint64s:
    """A word for each text: its bytes times keys of their places, and its length."""
    _, offsets_buffer, content_buffer = column.buffers()
    offsets = np.frombuffer(offsets_buffer, dtype=np.int32)[column.offset :][: len(column) + 1].astype(np.int64)
    lengths = np.diff(offsets)
    hashed = lengths.view(np.uint64) * _key("length", 0)
    filled = np.flatnonzero(lengths)
    if not len(filled):
        return hashed
    content = np.frombuffer(content_buffer, dtype=np.uint8)[offsets[0] : offsets[-1]]
    weighed = content * _place_keys(lengths)
    hashed[filled] += np.add.reduceat(weighed, (offsets[:-1] - offsets[0])[filled])
    return mix(hashed)


def _place_keys(lengths: Int64s) -> Uint64s:
    """The key of each byte's place in its text, for all bytes of the column."""
    keys = mix(np.arange(1, int(lengths.max()) + 1, dtype=np.uint64) * _key("place", 0)) | np.uint64(1)
    starts = np.cumsum(lengths) - lengths
    place = np.arange(int(lengths.sum()), dtype=np.int64) - np.repeat(starts, lengths)
    return keys[place]
