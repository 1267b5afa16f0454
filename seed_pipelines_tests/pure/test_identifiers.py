"""Documents, phones and postal codes."""

import numpy as np
import pytest
from validate_docbr import CNPJ, CPF

from seed_pipelines.errors import UniquesExhausted
from seed_pipelines.generate.identifiers import (
    LETTERED_ROOTS,
    PLACES_PER_MODE,
    ascii_table,
    base36_rows,
    cep_rows,
    cnpj_check_digits,
    cnpj_rows,
    cpf_check_digits,
    cpf_rows,
    digit_rows,
    lettered_roots,
    past_repeated,
    phone_rows,
    places,
    texts,
)

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
MADE = "0123456789ABCDEGHJKLMNPRSTVWXYZ"


@pytest.mark.parametrize("cpf", ["11144477735", "52998224725", "39053344705", "12345678909", "00000000191"])
def test_published_cpfs_have_these_check_digits(cpf):
    assert texts(cpf_check_digits(ascii_table((cpf[:9],)))).to_pylist() == [cpf[9:]]


@pytest.mark.parametrize(
    "cnpj",
    [
        *("12ABC34501DE35", "11222333000181", "60701190000104", "60746948000112", "90400888000142", "00360305000104"),
        *("18236120000158", "00000000000191", "12ABC345000188", "00A00000000122", "18781203000128", "22335408000157"),
    ],
)
def test_published_cnpjs_have_these_check_digits(cnpj):
    assert texts(cnpj_check_digits(ascii_table((cnpj[:12],)))).to_pylist() == [cnpj[12:]]


def test_made_cnpjs_are_accepted_by_another_validator():
    chance = np.random.default_rng(1)
    bases = ascii_table(tuple("".join(row) for row in chance.choice(list(ALPHABET), (500, 12))))
    made = texts(np.hstack((bases, cnpj_check_digits(bases)))).to_pylist()
    assert all(CNPJ().validate(cnpj) for cnpj in made)


def _places(slot, *, first_row, rows):
    return places(slot, entity="customers", first_row=first_row, rows=rows)


def _cpfs(place, *, key=1):
    return cpf_rows(place, fiscal_region=place % 10, key=key)


def test_made_cpfs_are_accepted_by_another_validator_and_carry_their_region():
    place = _places(1, first_row=0, rows=3_000)
    made = texts(_cpfs(place)).to_pylist()
    assert all(CPF().validate(cpf) for cpf in made)
    assert [int(cpf[8]) for cpf in made] == (place % 10).tolist()


def test_a_million_cpfs_of_a_mode_and_their_neighbours_in_the_next_mode_are_all_different():
    last = _places(0, first_row=PLACES_PER_MODE - 500_000, rows=500_000)
    first = _places(1, first_row=0, rows=500_000)
    bases = np.concatenate([_cpfs(place)[:, :8] for place in (last, first)])
    as_numbers = (bases - ord("0")).astype(np.int64) @ 10 ** np.arange(7, -1, -1)
    assert len(np.unique(as_numbers)) == 1_000_000


@pytest.mark.parametrize("digit", range(10))
def test_bases_step_over_every_repeated_digit_and_leave_out_nothing_else(digit):
    repeated = digit * 11_111_111
    around = np.arange(max(0, repeated - 1_000), min(10**8 - 10, repeated + 1_000))
    bases = past_repeated(around)
    assert repeated not in bases
    skipped = set(range(bases[0], bases[-1] + 1)) - set(bases.tolist())
    assert skipped == ({repeated} if 0 < digit < 9 else set())
    assert bases[0] >= 1
    assert bases[-1] <= 99_999_998


def test_the_last_place_of_the_last_mode_is_still_a_cpf():
    last = _places(3, first_row=PLACES_PER_MODE - 1, rows=1)
    assert CPF().validate(texts(_cpfs(last)).to_pylist()[0])


def test_more_customers_than_a_mode_has_places_are_refused():
    with pytest.raises(UniquesExhausted, match=rf"each mode has {PLACES_PER_MODE} .* volumetry\.customers\.cap"):
        _places(0, first_row=PLACES_PER_MODE, rows=1)


def test_cnpjs_with_and_without_letters_are_valid_unique_and_of_their_order():
    place = _places(2, first_row=0, rows=20_000)
    has_letters, order = place % 3 == 0, 1 + place % 4
    made = texts(cnpj_rows(place, order=order, has_letters=has_letters, key=7)).to_pylist()
    assert all(CNPJ().validate(cnpj) for cnpj in made)
    assert [not cnpj[:8].isdigit() for cnpj in made] == has_letters.tolist()
    assert all(set(cnpj[:8]) <= set(MADE) and cnpj[8:].isdigit() for cnpj in made)
    assert [int(cnpj[8:12]) for cnpj in made] == order.tolist()
    assert len({cnpj[:8] for cnpj in made}) == len(made)


def test_every_number_has_a_root_of_its_own_and_every_root_a_letter():
    assert len(MADE) ** 8 - 10**8 == LETTERED_ROOTS
    chance = np.random.default_rng(3)
    # The last ones have their only letter at the end, and few of the others come near them.
    numbers = np.unique(
        np.concatenate((chance.integers(0, LETTERED_ROOTS, 50_000), LETTERED_ROOTS - 1 - np.arange(5_000)))
    )
    roots = texts(lettered_roots(numbers)).to_pylist()
    assert len(set(roots)) == len(numbers)
    assert not any(root.isdigit() for root in roots)
    assert {len(root) for root in roots} == {8}


@pytest.mark.parametrize(
    ("number", "root"),
    [(0, "A0000000"), (LETTERED_ROOTS - 1, "9999999Z"), (21 * 31**7, "0A000000"), (21 * 31**7 - 1, "ZZZZZZZZ")],
)
def test_roots_are_counted_by_the_place_of_their_first_letter(number, root):
    assert texts(lettered_roots(np.array([number]))).to_pylist() == [root]


def test_fixed_width_texts_keep_leading_zeros():
    assert texts(digit_rows(np.array([0, 42, 999]), width=3)).to_pylist() == ["000", "042", "999"]
    assert texts(base36_rows(np.array([0, 35, 36**6 - 1]), width=6)).to_pylist() == ["000000", "00000z", "zzzzzz"]


def test_phones_and_postal_codes_are_put_together_from_their_parts():
    ddds, prefixes = ascii_table(("11", "68")), ascii_table(("01001", "69900"))
    numbers = np.array([7, 98_765_432])
    assert texts(phone_rows(ddds, numbers)).to_pylist() == ["+5511900000007", "+5568998765432"]
    assert texts(cep_rows(prefixes, np.array([0, 120]))).to_pylist() == ["01001000", "69900120"]


@pytest.mark.parametrize("present", [[], [False], [True], [True, False, False, True, True, False, False, True, False]])
def test_rows_that_are_not_present_are_null(present):
    rows = digit_rows(np.arange(sum(present)), width=3)
    made = texts(rows, present=np.array(present, dtype=np.bool_))
    made.validate(full=True)
    left = iter(range(sum(present)))
    assert made.to_pylist() == [f"{next(left):03d}" if is_present else None for is_present in present]
    assert made.null_count == present.count(False)
