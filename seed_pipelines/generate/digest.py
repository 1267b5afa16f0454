"""A hash of content that does not depend on how the rows were cut, ordered or written.

Each row gives two 64-bit words, mixed from all its values and its row number; the digest of rows is the sum of
theirs. So batches add up to the dataset's digest whatever their size and order. It finds every accident (a value,
row, column or order changed, a row lost or doubled); it is no defence against a forger, for which reports are signed.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from seed_pipelines.generate.permutation import mix
from seed_pipelines.generate.streams import Uint64s
from seed_pipelines.generate.version import GENERATOR_VERSION
from seed_pipelines.generate.vocabulary import vocabulary

_LANES = 2
_WRAP = 2**64

# A text column with fewer than one distinct value in so many rows is hashed value by value, not row by row.
_ROWS_PER_WORD = 8
# Rows that are mixed at once: their sums stay in the processor's cache.
_CHUNK_ROWS = 16_384
# If every second one of the first rows has a new value, no more of them are compared.
_TRIED_ROWS = 2_048
_TRIED_ROWS_PER_WORD = 2


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
    digest = ContentDigest.zero()
    for start in range(0, batch.num_rows, _CHUNK_ROWS):
        part = slice(start, start + _CHUNK_ROWS)
        chunk = [(name, column.part(part)) for name, column in columns]
        digest = digest.combine(ContentDigest(tuple(_lane(chunk, rows[part], lane) for lane in range(_LANES))))
    return digest


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

    def part(self, rows: slice) -> Self:
        return type(self)(self.words[rows], None if self.is_null is None else self.is_null[rows])


def _lane(columns: list[tuple[str, _Column]], rows: Uint64s, lane: int) -> int:
    total = rows * _key("row number", lane)
    for name, column in columns:
        total += column.words * _key(f"value of {name}", lane)
        if column.is_null is not None:
            total += column.is_null * _key(f"null in {name}", lane)
    return int(mix(mix(total)).sum(dtype=np.uint64))


@lru_cache(maxsize=1_024)
def _key(purpose: str, lane: int) -> np.uint64:
    """A fixed odd number, so that multiplying by it loses nothing."""
    digest = hashlib.sha256(f"content digest, lane {lane}: {purpose}".encode()).digest()
    return np.uint64(int.from_bytes(digest[:8], "big") | 1)


def _number_words(column: pa.Array) -> Uint64s:
    width = column.type.bit_width
    plain = column.view(pa.int64() if width == 64 else pa.int32() if width == 32 else pa.int16())
    filled = plain.fill_null(0) if plain.null_count else plain
    values: Uint64s = filled.to_numpy().astype(np.int64, copy=False).view(np.uint64)
    return values


def _text_words(column: pa.Array) -> Uint64s:
    if column.null_count:
        all_words = np.zeros(len(column), dtype=np.uint64)
        present = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
        all_words[present] = _text_words(column.drop_null())
        return all_words
    tried = column.slice(0, _TRIED_ROWS)
    distinct = tried.unique()
    if len(distinct) * _TRIED_ROWS_PER_WORD > len(tried):
        return _hashed_texts(column)
    positions = pc.index_in(column, value_set=distinct)
    if positions.null_count:
        encoded = column.dictionary_encode()
        distinct, positions = encoded.dictionary, encoded.indices
    if len(distinct) * _ROWS_PER_WORD > len(column):
        return _hashed_texts(column)
    words: Uint64s = _hashed_texts(distinct)[positions.to_numpy()]
    return words


def _hashed_texts(column: pa.Array) -> Uint64s:
    """A word for each text: its bytes times keys of their places, and its length."""
    lengths = pc.binary_length(column).to_numpy()
    counts = np.bincount(lengths)
    order = np.argsort(lengths, kind="stable")
    if np.count_nonzero(counts) > 1:
        column = column.take(pa.array(order))
    content, keys = _content(column), _place_keys(len(counts))
    hashed = lengths.astype(np.uint64) * _key("length", 0)
    row = place = 0
    for length in np.flatnonzero(counts).tolist():
        rows = order[row : row + counts[length]]
        texts = content[place : place + len(rows) * length].reshape(len(rows), length)
        hashed[rows] += np.einsum("ij,j->i", texts, keys[:length])
        row, place = row + len(rows), place + texts.size
    return mix(hashed)


def _content(column: pa.Array) -> NDArray[np.uint8]:
    """The bytes of all texts, one after the other."""
    _, offsets, content = column.buffers()
    bounds = np.frombuffer(offsets, dtype=np.int32)[column.offset :][: len(column) + 1]
    return np.frombuffer(content or b"", dtype=np.uint8)[bounds[0] : bounds[-1]]


def _place_keys(longest: int) -> Uint64s:
    """The key of each place in a text."""
    return mix(np.arange(1, longest + 1, dtype=np.uint64) * _key("place", 0)) | np.uint64(1)
