"""The OpenPGP packets (RFC 4880) around a value that pgcrypto's `pgp_sym_decrypt` opens.

A message is a symmetric-key packet (AES-256, one salted pass of SHA-256 over the passphrase) and an encrypted
packet with a modification detection code, around one literal packet of UTF-8 text without name or date. One salted
pass is enough because passphrases are random 256-bit keys: stretching protects what people can remember.
"""

import hashlib
from dataclasses import dataclass

SALT_BYTES = 8
# A block of chance and its last two bytes again: how a reader notices a wrong key.
LEAD_BYTES = 18
CODE_BYTES = 20
CODE_HEADER = bytes([0xD3, CODE_BYTES])

_SYMMETRIC_KEY, _ENCRYPTED, _LITERAL = 0xC3, 0xD2, 0xCB
_AES256, _SALTED, _SHA256 = 9, 1, 8
_UTF8_TEXT = b"u"


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageFrame:
    """The bytes that all messages of one salt and one length of text have in common.

    A message is `head` + encrypt(lead + `literal_header` + text + CODE_HEADER + code).
    """

    head: bytes
    literal_header: bytes
    text_bytes: int

    @property
    def text_start(self) -> int:
        return LEAD_BYTES + len(self.literal_header)

    @property
    def hashed_bytes(self) -> int:
        """How much of the plain body the modification detection code covers."""
        return self.text_start + self.text_bytes + len(CODE_HEADER)

    @property
    def body_bytes(self) -> int:
        return self.hashed_bytes + CODE_BYTES


def frame_of(text_bytes: int, *, salt: bytes) -> MessageFrame:
    """The frame of messages of texts of so many bytes."""
    content = _UTF8_TEXT + bytes([0]) + bytes(4)
    literal_header = bytes([_LITERAL]) + _packet_length(len(content) + text_bytes) + content
    body = LEAD_BYTES + len(literal_header) + text_bytes + len(CODE_HEADER) + CODE_BYTES
    encrypted_header = bytes([_ENCRYPTED]) + _packet_length(1 + body) + bytes([1])
    return MessageFrame(
        head=_symmetric_key_packet(salt) + encrypted_header, literal_header=literal_header, text_bytes=text_bytes
    )


def text_bytes_of(message_bytes: int, *, salt: bytes) -> int | None:
    """How long the text in a message of that size is; None where no text makes such a message."""
    fixed = len(frame_of(0, salt=salt).head) + frame_of(0, salt=salt).body_bytes
    for extra in range(9):
        text = message_bytes - fixed - extra
        if text >= 0:
            frame = frame_of(text, salt=salt)
            if len(frame.head) + frame.body_bytes == message_bytes:
                return text
    return None


def session_key(passphrase: str, *, salt: bytes) -> bytes:
    """The AES-256 key that a reader derives from the passphrase."""
    return hashlib.sha256(salt + passphrase.encode()).digest()


def _symmetric_key_packet(salt: bytes) -> bytes:
    body = bytes([4, _AES256, _SALTED, _SHA256]) + salt
    return bytes([_SYMMETRIC_KEY, len(body)]) + body


def _packet_length(size: int) -> bytes:
    if size < 192:
        return bytes([size])
    if size < 8384:
        return (size - 192 + (192 << 8)).to_bytes(2, "big")
    return b"\xff" + size.to_bytes(4, "big")
