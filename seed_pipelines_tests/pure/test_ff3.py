"""FF3-1 is there for old data only: refused by default, loud when accepted, and right."""

import fastfpe.ff3_1
import numpy as np
import pytest

from seed_pipelines.errors import SmallDomain, WithdrawnCipher
from seed_pipelines.mask.ff3 import Ff31Cipher

ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
TWEAK = bytes.fromhex("D8E7920AFA330A")


def cipher(**options):
    with pytest.warns(UserWarning, match="withdrawn by NIST"):
        return Ff31Cipher(**{"key": bytes(range(32)), "tweak": TWEAK, "withdrawn_is_accepted": True, **options})


def test_it_is_refused_unless_the_caller_knows_that_it_was_withdrawn():
    with pytest.raises(WithdrawnCipher, match="Use FF1"):
        Ff31Cipher(key=bytes(16), length=9, tweak=TWEAK)


def test_a_domain_below_a_million_is_refused():
    with pytest.raises(SmallDomain):
        Ff31Cipher(key=bytes(16), length=5, tweak=TWEAK, withdrawn_is_accepted=True)


def test_the_known_answer_of_the_recommendation_is_given():
    key = bytes.fromhex("EF4359D8D580AA4F7F036D6F04FC6A94")
    digits = np.array([[int(digit) for digit in "890121234567890000"]], dtype=np.uint8)
    masked = cipher(key=key, length=18).encrypt(digits)
    assert "".join(map(str, masked[0])) == "477064185124354662"


@pytest.mark.parametrize(("radix", "length"), [(10, 6), (10, 9), (10, 28), (36, 17), (26, 13), (2, 40)])
@pytest.mark.parametrize("key_bytes", [16, 24, 32])
def test_strings_are_those_of_fastfpe_and_come_back(radix, length, key_bytes):
    key = bytes(range(key_bytes))
    ff3 = cipher(key=key, radix=radix, length=length)
    digits = np.random.default_rng(length).integers(0, radix, (200, length)).astype(np.uint8)
    masked = ff3.encrypt(digits)
    for plain, ours in zip(digits, masked, strict=True):
        text, theirs = ("".join(ALPHABET[digit] for digit in row) for row in (plain, ours))
        assert fastfpe.ff3_1.encrypt(key.hex(), TWEAK.hex(), ALPHABET[:radix], text) == theirs
    assert (ff3.decrypt(masked) == digits).all()
