"""AES over a column: one call encrypts a block of every row, in buffers that are used again.

The buffers are views of big-endian words, because the ciphers built on them are defined over big-endian numbers.
Single blocks of columns only, and a CBC-MAC for what all rows share: other modes are built by the callers.
"""

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from numpy.typing import NDArray

BLOCK_BYTES = 16

# Rows that are worked on at once: their buffers stay in the processor's second-level cache.
CHUNK_ROWS = 4_096

Words = NDArray[np.uint64]
Bytes = NDArray[np.uint8]


class AesColumn:
    """One AES block for each of up to `rows` rows: fill `plain`, call `encrypt`, read `cipher`.

    Both are (rows, 2) arrays of big-endian 64-bit words. Not for two threads at once.
    """

    def __init__(self, key: bytes, *, rows: int) -> None:
        self._encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305  (the bare block function)  # nosec B305
        self._plain_bytes = np.zeros(rows * BLOCK_BYTES, dtype=np.uint8)
        # The library asks for room for one block more than it writes.
        self._cipher_bytes = np.zeros((rows + 1) * BLOCK_BYTES, dtype=np.uint8)
        self.plain: Words = self._plain_bytes.view(">u8").reshape(rows, 2)
        self.cipher: Words = self._cipher_bytes.view(">u8").reshape(rows + 1, 2)

    def encrypt(self, rows: int) -> None:
        """Encrypt the first `rows` blocks of `plain` into `cipher`."""
        size = rows * BLOCK_BYTES
        self._encryptor.update_into(self._plain_bytes[:size].data, self._cipher_bytes[: size + BLOCK_BYTES].data)


def cbc_mac(key: bytes, message: bytes) -> bytes:
    """CBC-MAC of whole blocks: a prefix that many rows share is worked through once."""
    encryptor = Cipher(algorithms.AES(key), modes.CBC(bytes(BLOCK_BYTES))).encryptor()
    return encryptor.update(message)[-BLOCK_BYTES:]
