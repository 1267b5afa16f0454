"""FF1 is the FF1 of NIST SP 800-38G, digit for digit, and a permutation of every domain that it accepts."""

import fastfpe.ff1
import ffx
import numpy as np
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given
from hypothesis import strategies as st

from seed_pipelines.errors import SmallDomain
from seed_pipelines.generate.identifiers import ascii_table, cpf_check_digits, texts
from seed_pipelines.mask.aes_columns import CHUNK_ROWS
from seed_pipelines.mask.ff1 import IntegerCipher, permute, unpermute
from seed_pipelines.mask.ff1_digits import DigitCipher

ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
KEY = bytes(range(32))

_K128 = bytes.fromhex("2B7E151628AED2A6ABF7158809CF4F3C")
_K192 = _K128 + bytes.fromhex("EF4359D8D580AA4F")
_K256 = _K192 + bytes.fromhex("7F036D6F04FC6A94")
_T2 = bytes.fromhex("39383736353433323130")
_T3 = bytes.fromhex("3737373770717273373737")
_TEN, _NINETEEN = "0123456789", "0123456789abcdefghi"

# The samples that NIST publishes with SP 800-38G: key, radix, tweak, plain text, cipher text.
SAMPLES = {
    "1": (_K128, 10, b"", _TEN, "2433477484"),
    "2": (_K128, 10, _T2, _TEN, "6124200773"),
    "3": (_K128, 36, _T3, _NINETEEN, "a9tv40mll9kdu509eum"),
    "4": (_K192, 10, b"", _TEN, "2830668132"),
    "5": (_K192, 10, _T2, _TEN, "2496655549"),
    "6": (_K192, 36, _T3, _NINETEEN, "xbj3kv35jrawxv32ysr"),
    "7": (_K256, 10, b"", _TEN, "6657667009"),
    "8": (_K256, 10, _T2, _TEN, "1001623463"),
    "9": (_K256, 36, _T3, _NINETEEN, "xs8a0azh2avyalyzuwd"),
}


def matrix(*texts):
    return np.array([[ALPHABET.index(character) for character in text] for text in texts], dtype=np.uint8)


def crypted(crypt, digits):
    """Strings of one length, as a matrix, through a cipher of strings of all lengths."""
    return crypt(digits.ravel(), np.full(len(digits), digits.shape[1])).reshape(digits.shape)


def texts_of(digits):
    return ["".join(ALPHABET[digit] for digit in row) for row in digits]


def random_numbers(radix, length, *, rows):
    return np.random.default_rng(7).integers(0, radix**length, rows, dtype=np.uint64)


@pytest.mark.parametrize(("key", "radix", "tweak", "plain", "cipher"), SAMPLES.values(), ids=SAMPLES)
def test_digit_strings_give_the_published_samples_in_both_directions(key, radix, tweak, plain, cipher):
    ff1 = DigitCipher(key=key, radix=radix, tweak=tweak)
    assert texts_of(crypted(ff1.encrypt, matrix(plain))) == [cipher]
    assert texts_of(crypted(ff1.decrypt, matrix(cipher))) == [plain]


@pytest.mark.parametrize("sample", ["1", "2", "4", "5", "7", "8"])
def test_numbers_give_the_published_samples_in_both_directions(sample):
    key, radix, tweak, plain, cipher = SAMPLES[sample]
    ff1 = IntegerCipher(key=key, radix=radix, length=len(plain), tweaks=(tweak,))
    assert ff1.encrypt(np.array([int(plain)], dtype=np.uint64)).tolist() == [int(cipher)]
    assert ff1.decrypt(np.array([int(cipher)], dtype=np.uint64)).tolist() == [int(plain)]


def test_a_hundred_thousand_random_numbers_are_those_of_fastfpe_and_of_libffx():
    values = random_numbers(10, 9, rows=100_000)
    ours = IntegerCipher(key=KEY, length=9, tweaks=(b"cpf",)).encrypt(values).tolist()
    key, tweak = KEY.hex(), b"cpf".hex()
    plain = [f"{value:09d}" for value in values.tolist()]
    assert ours == [int(fastfpe.ff1.encrypt(key, tweak, ALPHABET[:10], text)) for text in plain]
    reference = ffx.FF1(KEY, radix=10)
    assert ours == [int(reference.encrypt(text, tweak=b"cpf")) for text in plain]


@pytest.mark.parametrize(("cpf", "masked"), [("11144477735", "27034908362"), ("52998224725", "91398069361")])
def test_the_nine_digits_of_two_known_cpfs_are_permuted_as_an_independent_calculation_did(cpf, masked):
    prk = (1).to_bytes(32, "big")
    key = HKDFExpand(algorithm=hashes.SHA256(), length=32, info=b"fpe|v1|cpf").derive(prk)
    made = IntegerCipher(key=key, length=9, tweaks=(b"cpf|base9",)).encrypt(np.array([int(cpf[:9])], dtype=np.uint64))
    base = f"{made[0]:09d}"
    assert base + texts(cpf_check_digits(ascii_table((base,)))).to_pylist()[0] == masked


@pytest.mark.parametrize("key_bytes", [16, 24, 32])
@pytest.mark.parametrize(
    ("radix", "length"), [(10, 6), (10, 7), (10, 18), (36, 4), (36, 12), (31, 8), (2, 62), (3, 13)]
)
@pytest.mark.parametrize("tweak", [b"", b"ab", b"twelve bytes", bytes(range(40))], ids=len)
def test_numbers_are_those_of_libffx(key_bytes, radix, length, tweak):
    values = random_numbers(radix, length, rows=60)
    reference = ffx.FF1(KEY[:key_bytes], radix=radix)
    ours = IntegerCipher(key=KEY[:key_bytes], radix=radix, length=length, tweaks=(tweak,)).encrypt(values)
    plain = [as_text(value, radix, length) for value in values.tolist()]
    theirs = [int(reference.encrypt(text, tweak=tweak), radix) for text in plain]
    assert ours.tolist() == theirs


@pytest.mark.parametrize("radix", [2, 3, 10, 31, 36])
@pytest.mark.parametrize("length", [20, 23, 24, 40, 57, 64, 130])
def test_long_strings_are_those_of_libffx(radix, length):
    tweak = bytes(range(length % 21))
    digits = np.random.default_rng(length).integers(0, radix, (20, length)).astype(np.uint8)
    ff1 = DigitCipher(key=KEY, radix=radix, tweak=tweak)
    masked = crypted(ff1.encrypt, digits)
    reference = ffx.FF1(KEY, radix=radix)
    assert texts_of(masked) == [reference.encrypt(text, tweak=tweak) for text in texts_of(digits)]
    assert (crypted(ff1.decrypt, masked) == digits).all()


@pytest.mark.parametrize("radix", [10, 16, 36])
def test_strings_of_many_lengths_give_together_what_each_gives_alone(radix):
    drawn = np.random.default_rng(radix)
    lengths = drawn.integers(6, 70, 2 * CHUNK_ROWS + 5)
    digits = drawn.integers(0, radix, lengths.sum()).astype(np.uint8)
    ff1 = DigitCipher(key=KEY, radix=radix, tweak=b"email|local")
    together = ff1.encrypt(digits, lengths)
    assert (ff1.decrypt(together, lengths) == digits).all()
    reference, ends = ffx.FF1(KEY, radix=radix), np.cumsum(lengths)
    for row in (*range(150), CHUNK_ROWS - 1, CHUNK_ROWS, len(lengths) - 1):
        place = slice(ends[row] - lengths[row], ends[row])
        (plain,), (masked,) = texts_of(digits[None, place]), texts_of(together[None, place])
        assert masked == reference.encrypt(plain, tweak=b"email|local")


@given(st.integers(2, 36), st.integers(2, 60), st.integers(0, 2**32))
def test_decrypting_undoes_encrypting_in_any_radix_and_length(radix, length, seed):
    while radix**length < 1_000_000:
        length += 1
    digits = np.random.default_rng(seed).integers(0, radix, (3, length)).astype(np.uint8)
    ff1 = DigitCipher(key=KEY, radix=radix, tweak=seed.to_bytes(5, "big"))
    assert (crypted(ff1.decrypt, crypted(ff1.encrypt, digits)) == digits).all()


def test_a_whole_domain_is_permuted():
    everything = np.arange(1_000_000, dtype=np.uint64)
    ff1 = IntegerCipher(key=KEY, length=6)
    masked = ff1.encrypt(everything)
    assert (np.sort(masked) == everything).all()
    assert (ff1.decrypt(masked) == everything).all()


def test_each_row_is_permuted_by_its_own_tweak():
    values, tweaks = random_numbers(10, 8, rows=1_000), (b"11", b"21", b"a longer tweak than one block")
    index = np.arange(1_000) % 3
    together = IntegerCipher(key=KEY, length=8, tweaks=tweaks).encrypt(values, index)
    for number, tweak in enumerate(tweaks):
        alone = IntegerCipher(key=KEY, length=8, tweaks=(tweak,)).encrypt(values)
        assert (together[index == number] == alone[index == number]).all()
    assert (IntegerCipher(key=KEY, length=8, tweaks=tweaks).decrypt(together, index) == values).all()


def test_a_value_is_permuted_alike_alone_and_in_a_column_of_many_chunks():
    values = random_numbers(10, 9, rows=2 * CHUNK_ROWS + 5)
    ff1 = IntegerCipher(key=KEY, length=9)
    masked = ff1.encrypt(values)
    for row in (0, CHUNK_ROWS - 1, CHUNK_ROWS, 2 * CHUNK_ROWS + 4):
        assert ff1.encrypt(values[row : row + 1])[0] == masked[row]
    assert len(ff1.encrypt(values[:0])) == 0


@pytest.mark.parametrize("domain", [1_000_000, 1_000_003, 1_234_567])
def test_a_domain_that_is_no_power_is_permuted_whole(domain):
    everything = np.arange(domain, dtype=np.uint64)
    masked = permute(domain, everything, key=KEY)
    assert (np.sort(masked) == everything).all()
    assert (unpermute(domain, masked, key=KEY) == everything).all()


@pytest.mark.parametrize("domain", [40_000_000, 2**32, 2**32 + 1, 400 * 700**2, 10**12 + 39, 2**60 + 7])
def test_a_large_domain_is_never_left(domain):
    values = np.append(np.random.default_rng(1).integers(0, domain, 5_000, dtype=np.uint64), np.uint64(domain - 1))
    masked = permute(domain, values, key=KEY, tweak=b"t")
    assert int(masked.max()) < domain
    assert (unpermute(domain, masked, key=KEY, tweak=b"t") == values).all()
    assert (permute(domain, values, key=KEY, tweak=b"u") != masked).mean() > 0.99


@pytest.mark.parametrize(
    "make",
    [
        lambda: IntegerCipher(key=KEY, length=5),
        lambda: IntegerCipher(key=KEY, radix=36, length=3),
        lambda: DigitCipher(key=KEY, radix=2).encrypt(np.zeros(39, dtype=np.uint8), np.array([20, 19])),
        lambda: permute(999_999, np.zeros(1, dtype=np.uint64), key=KEY),
    ],
)
def test_a_domain_below_a_million_is_refused(make):
    with pytest.raises(SmallDomain, match="at least 1000000"):
        make()


@pytest.mark.parametrize(
    "misuse",
    [
        lambda: IntegerCipher(key=KEY, length=6).encrypt(np.array([10**6], dtype=np.uint64)),
        lambda: IntegerCipher(key=KEY, length=19),
        lambda: IntegerCipher(key=KEY, radix=1 << 17, length=2),
        lambda: DigitCipher(key=KEY, radix=300),
        lambda: DigitCipher(key=KEY, radix=10).encrypt(np.full(8, 10, dtype=np.uint8), np.array([8])),
        lambda: DigitCipher(key=KEY, radix=10).encrypt(np.zeros(9, dtype=np.uint8), np.array([8])),
        lambda: permute(10**6, np.array([10**6], dtype=np.uint64), key=KEY),
    ],
)
def test_a_value_outside_the_domain_is_refused(misuse):
    with pytest.raises(ValueError, match=r"radix|digits|column"):
        misuse()


def test_a_cipher_does_not_show_its_key():
    for cipher in (IntegerCipher(key=KEY, length=9), DigitCipher(key=KEY, radix=10)):
        assert "key" not in repr(cipher)


def as_text(value, radix, length):
    digits = []
    for _ in range(length):
        value, digit = divmod(value, radix)
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits))
