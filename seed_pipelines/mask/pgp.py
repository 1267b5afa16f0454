"""Columns of OpenPGP messages: encrypted here, column-wise, and opened by `pgp_sym_decrypt` in the database.

The same row, value and key always give the same bytes, so a rerun writes what the first run wrote. OpenPGP wants a
random block before each text; here it is a keyed function of the row's id and the value (AES-CBC-MAC over length,
id and value, under a key of its own). Two messages then share their first block only if row and value are the same,
and all an observer learns is that a row still holds the value it held. Equal values of different rows look
unrelated. The salt is constant in a column: with a random 256-bit passphrase it has nothing to separate.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from seed_pipelines.errors import MessageNotOurs
from seed_pipelines.mask.aes_columns import BLOCK_BYTES, CHUNK_ROWS, AesColumn, Bytes, Words
from seed_pipelines.mask.by_length import by_length, rows_of
from seed_pipelines.mask.openpgp import (
    CODE_BYTES,
    CODE_HEADER,
    LEAD_BYTES,
    MessageFrame,
    frame_of,
    session_key,
    text_bytes_of,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PgpKey:
    """What encrypts one column. The passphrase alone opens its messages."""

    passphrase: str = field(repr=False)
    salt: bytes
    lead_key: bytes = field(repr=False)


def encrypt(values: pa.Array, *, row_ids: NDArray[np.int64], key: PgpKey) -> pa.Array:
    """A binary column with one message for each text of `values`, which has no nulls."""
    groups = by_length(values)
    writer = _Writer(key, rows=min(len(values), CHUNK_ROWS))
    grouped = zip(groups.matrices, groups.rows_of_groups(), strict=True)
    messages = [writer.messages(texts, row_ids[rows]) for texts, rows in grouped]
    return groups.restored(messages, type_=pa.binary())


def decrypt(messages: pa.Array, *, key: PgpKey) -> pa.Array:
    """The texts; raises MessageNotOurs where a message was made with another key or changed."""
    groups = by_length(messages)
    reader = _Reader(key, rows=min(len(messages), CHUNK_ROWS))
    return groups.restored([reader.texts(matrix) for matrix in groups.matrices], type_=pa.string())


class _Cfb:
    """AES in cipher feedback from a block of zeros, over a matrix of whole blocks, in place."""

    def __init__(self, key: bytes, *, rows: int) -> None:
        self._aes = AesColumn(key, rows=max(rows, 1))
        self._plain: Words = self._aes.plain.view(np.uint64)
        self._cipher: Words = self._aes.cipher.view(np.uint64)

    def encrypt(self, body: Bytes) -> None:
        for stream, words in self._blocks(body):
            # Each half is one strided pass: a (rows, 2) operation would loop over two words at a time.
            for half in (0, 1):
                np.bitwise_xor(words[:, half], stream[:, half], out=words[:, half])
                self._plain[: len(body), half] = words[:, half]

    def decrypt(self, body: Bytes) -> None:
        for stream, words in self._blocks(body):
            for half in (0, 1):
                self._plain[: len(body), half] = words[:, half]
                np.bitwise_xor(words[:, half], stream[:, half], out=words[:, half])

    def _blocks(self, body: Bytes) -> Iterator[tuple[Words, Words]]:
        """Each block of the body with its key stream; the caller leaves the block's cipher text in `_plain`."""
        self._plain[: len(body)] = 0
        for start in range(0, body.shape[1], BLOCK_BYTES):
            self._aes.encrypt(len(body))
            yield self._cipher[: len(body)], body[:, start : start + BLOCK_BYTES].view(np.uint64)


class _Writer:
    def __init__(self, key: PgpKey, *, rows: int) -> None:
        self._salt = key.salt
        self._cfb = _Cfb(session_key(key.passphrase, salt=key.salt), rows=rows)
        self._leads = AesColumn(key.lead_key, rows=max(rows, 1))

    def messages(self, texts: Bytes, row_ids: NDArray[np.int64]) -> Bytes:
        """The messages of texts of one length."""
        frame = frame_of(texts.shape[1], salt=self._salt)
        result = np.empty((len(texts), len(frame.head) + frame.body_bytes), dtype=np.uint8)
        result[:, : len(frame.head)] = np.frombuffer(frame.head, dtype=np.uint8)
        for start in range(0, len(texts), CHUNK_ROWS):
            rows = slice(start, start + CHUNK_ROWS)
            body = self._body(frame, texts[rows], row_ids[rows])
            self._cfb.encrypt(body)
            result[rows, len(frame.head) :] = body[:, : frame.body_bytes]
        return result

    def _body(self, frame: MessageFrame, texts: Bytes, row_ids: NDArray[np.int64]) -> Bytes:
        """The plain body, filled up to whole blocks."""
        body = _whole_blocks(len(texts), frame.body_bytes)
        body[:, :BLOCK_BYTES] = self._lead(texts, row_ids)
        body[:, BLOCK_BYTES:LEAD_BYTES] = body[:, BLOCK_BYTES - 2 : BLOCK_BYTES]
        body[:, LEAD_BYTES : frame.text_start] = np.frombuffer(frame.literal_header, dtype=np.uint8)
        body[:, frame.text_start : frame.text_start + frame.text_bytes] = texts
        body[:, frame.hashed_bytes - 2 : frame.hashed_bytes] = np.frombuffer(CODE_HEADER, dtype=np.uint8)
        body[:, frame.hashed_bytes : frame.body_bytes] = _codes(body[:, : frame.hashed_bytes])
        return body

    def _lead(self, texts: Bytes, row_ids: NDArray[np.int64]) -> Bytes:
        """One pseudorandom block for each row: the length comes first, so that no input begins another."""
        rows = len(texts)
        padded = _whole_blocks(rows, texts.shape[1])
        padded[:, : texts.shape[1]] = texts
        plain: Words = self._leads.plain.view(np.uint64)[:rows]
        cipher: Words = self._leads.cipher.view(np.uint64)[:rows]
        plain[:, 0], plain[:, 1] = texts.shape[1], row_ids.view(np.uint64)
        self._leads.encrypt(rows)
        for start in range(0, padded.shape[1], BLOCK_BYTES):
            words = padded[:, start : start + BLOCK_BYTES].view(np.uint64)
            for half in (0, 1):
                np.bitwise_xor(cipher[:, half], words[:, half], out=plain[:, half])
            self._leads.encrypt(rows)
        return cipher.view(np.uint8)


class _Reader:
    def __init__(self, key: PgpKey, *, rows: int) -> None:
        self._salt = key.salt
        self._cfb = _Cfb(session_key(key.passphrase, salt=key.salt), rows=rows)

    def texts(self, messages: Bytes) -> Bytes:
        """The texts of messages of one length."""
        text_bytes = text_bytes_of(messages.shape[1], salt=self._salt)
        if text_bytes is None:
            raise MessageNotOurs(len(messages))
        frame = frame_of(text_bytes, salt=self._salt)
        result = np.empty((len(messages), text_bytes), dtype=np.uint8)
        for start in range(0, len(messages), CHUNK_ROWS):
            rows = slice(start, start + CHUNK_ROWS)
            body = self._opened(frame, messages[rows])
            result[rows] = body[:, frame.text_start : frame.text_start + text_bytes]
        return result

    def _opened(self, frame: MessageFrame, messages: Bytes) -> Bytes:
        body = _whole_blocks(len(messages), frame.body_bytes)
        body[:, : frame.body_bytes] = messages[:, len(frame.head) :]
        self._cfb.decrypt(body)
        is_whole = (messages[:, : len(frame.head)] == np.frombuffer(frame.head, dtype=np.uint8)).all(axis=1)
        is_whole &= (body[:, frame.hashed_bytes : frame.body_bytes] == _codes(body[:, : frame.hashed_bytes])).all(
            axis=1
        )
        if not is_whole.all():
            raise MessageNotOurs(int((~is_whole).sum()))
        return body


def _whole_blocks(rows: int, width: int) -> Bytes:
    return np.zeros((rows, -(-width // BLOCK_BYTES) * BLOCK_BYTES), dtype=np.uint8)


def _codes(hashed: Bytes) -> Bytes:
    """The modification detection code of each row: SHA-1, which the format prescribes."""
    empty, codes = hashlib.sha1(usedforsecurity=False), []
    for row in rows_of(hashed):
        code = empty.copy()
        code.update(row)
        codes.append(code.digest())
    return np.frombuffer(b"".join(codes), dtype=np.uint8).reshape(len(hashed), CODE_BYTES)
