"""Encrypted columns open with their key only, notice every change, and are the same bytes on a rerun."""

import hmac

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seed_pipelines.errors import MessageNotOurs
from seed_pipelines.mask.aes_columns import CHUNK_ROWS
from seed_pipelines.mask.digests import keyed_digests
from seed_pipelines.mask.pgp import PgpKey, decrypt, encrypt

KEY = PgpKey(passphrase="5e" * 32, salt=b"8 bytes!", lead_key=bytes(range(32)))


def encrypted(texts, *, row_ids=None, key=KEY):
    ids = np.arange(len(texts)) if row_ids is None else np.array(row_ids, dtype=np.int64)
    return encrypt(pa.array(texts, pa.string()), row_ids=ids, key=key)


@given(st.lists(st.text(max_size=50)))
def test_every_text_comes_back(texts):
    assert decrypt(encrypted(texts), key=KEY).to_pylist() == texts


# At 142 and 8337 bytes of text the packets' lengths take another byte.
@pytest.mark.parametrize("size", [0, 1, 15, 16, 141, 142, 143, 185, 186, 8_330, 8_337, 8_338, 70_000])
def test_a_text_of_any_size_comes_back(size):
    texts = ["á" * (size // 2) + "x" * (size % 2), "short", "y" * size]
    assert decrypt(encrypted(texts), key=KEY).to_pylist() == texts


def test_a_column_longer_than_one_chunk_comes_back_in_order():
    texts = [f"{row}" * (1 + row % 3) for row in range(2 * CHUNK_ROWS + 3)]
    assert decrypt(encrypted(texts), key=KEY).to_pylist() == texts


def test_a_rerun_gives_the_same_bytes_whatever_the_batch():
    texts = [f"person {row}" * (1 + row % 5) for row in range(500)]
    whole = encrypted(texts).to_pylist()
    parts = [encrypted(texts[at : at + 37], row_ids=range(at, min(at + 37, 500))) for at in range(0, 500, 37)]
    assert [message for part in parts for message in part.to_pylist()] == whole
    assert encrypt(pa.array(texts)[100:200], row_ids=np.arange(100, 200), key=KEY).to_pylist() == whole[100:200]


def test_equal_texts_of_different_rows_share_nothing_beyond_the_frame():
    first, second = encrypted(["same text of two people"] * 2).to_pylist()
    frame = 14 + 3
    assert first[:frame] == second[:frame]
    assert sum(a == b for a, b in zip(first[frame:], second[frame:], strict=True)) < 8


def test_a_changed_text_changes_the_whole_message():
    first, second = (encrypted([text]).to_pylist()[0] for text in ("person 1", "person 2"))
    assert sum(a == b for a, b in zip(first[17:], second[17:], strict=True)) < 8


def test_every_changed_byte_is_noticed():
    message = encrypted(["52998224725"]).to_pylist()[0]
    for place in range(len(message)):
        changed = bytearray(message)
        changed[place] ^= 1
        with pytest.raises(MessageNotOurs, match="1 encrypted values"):
            decrypt(pa.array([bytes(changed)]), key=KEY)


@pytest.mark.parametrize("message", [b"", b"short", b"x" * 64, b"x" * 1_000])
def test_what_is_no_message_is_refused(message):
    with pytest.raises(MessageNotOurs):
        decrypt(pa.array([message]), key=KEY)


def test_another_passphrase_opens_nothing():
    other = PgpKey(passphrase="5f" * 32, salt=KEY.salt, lead_key=KEY.lead_key)
    with pytest.raises(MessageNotOurs):
        decrypt(encrypted(["a", "b"]), key=other)


def test_a_key_does_not_show_its_secrets():
    assert "5e5e" not in repr(KEY)
    assert "lead_key" not in repr(KEY)


@given(st.lists(st.text(max_size=80)), st.binary(min_size=32, max_size=32))
def test_digests_are_hmac_sha256(texts, key):
    expected = [hmac.digest(key, text.encode(), "sha256") for text in texts]
    assert keyed_digests(pa.array(texts, pa.string()), key=key).to_pylist() == expected
