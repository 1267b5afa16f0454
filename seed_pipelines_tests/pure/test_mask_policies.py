"""Masked values keep their form and their uniqueness; what no rule covers is refused, without being quoted."""

import itertools
import random
import re

import numpy as np
import pyarrow as pa
import pytest
from validate_docbr import CNPJ, CPF

from seed_pipelines.errors import NotMaskable, SmallDomain
from seed_pipelines.generate.identifiers import cnpj_check_digits, cpf_check_digits
from seed_pipelines.mask.by_length import from_matrix
from seed_pipelines.mask.company_names import mask_company_names, mask_mixed_names, vendored_company_names
from seed_pipelines.mask.documents import mask_documents
from seed_pipelines.mask.emails import mask_emails
from seed_pipelines.mask.ff1 import IntegerCipher
from seed_pipelines.mask.names import NameTables, mask_names, unmask_names, vendored_names
from seed_pipelines.mask.phones import mask_phones

KEY = bytes(range(32))
OTHER_KEY = bytes(range(1, 33))


def texts(*values):
    return pa.array(values, pa.string())


def cpfs(bases):
    """Valid CPFs of nine-digit bases."""
    matrix = np.frombuffer(b"".join(b"%09d" % base for base in bases), dtype=np.uint8).reshape(-1, 9)
    return from_matrix(np.hstack((matrix, cpf_check_digits(matrix))), type_=pa.string())


def cnpjs(bases):
    """Valid CNPJs of twelve-character bases."""
    matrix = np.frombuffer("".join(bases).encode(), dtype=np.uint8).reshape(-1, 12)
    return from_matrix(np.hstack((matrix, cnpj_check_digits(matrix))), type_=pa.string())


def masked_documents(values, key=KEY):
    return mask_documents(values, key=key, column="customers.document_number")


def masked_emails(values):
    return mask_emails(values, key=KEY, column="customers.email").to_pylist()


def masked_phones(values):
    return mask_phones(values, key=KEY, column="customers.phone").to_pylist()


@pytest.fixture(scope="module")
def many_cpfs():
    return cpfs(random.Random(5).sample(range(1, 10**9), 200_000))


def test_two_hundred_thousand_cpfs_give_as_many_valid_ones_of_the_same_regions(many_cpfs):
    plain, masked = many_cpfs.to_pylist(), masked_documents(many_cpfs).to_pylist()
    assert len(set(masked)) == 200_000
    assert all(CPF().validate_list(masked))
    assert [text[8] for text in masked] == [text[8] for text in plain]
    assert sum(a == b for a, b in zip(plain, masked, strict=True)) < 5


def test_another_key_gives_other_cpfs(many_cpfs):
    some = many_cpfs[:1_000]
    pairs = zip(masked_documents(some).to_pylist(), masked_documents(some, OTHER_KEY).to_pylist(), strict=True)
    assert sum(a == b for a, b in pairs) == 0


@pytest.mark.parametrize("digit", range(10))
def test_the_cpf_that_would_become_one_repeated_digit_walks_on(digit):
    tweak = b"cpf|region|%d" % digit
    cipher = IntegerCipher(key=KEY, length=8, tweaks=(tweak,))
    before = cipher.decrypt(np.array([digit * 11_111_111], dtype=np.uint64))
    after = cipher.encrypt(np.array([digit * 11_111_111], dtype=np.uint64))
    masked = masked_documents(cpfs([int(before[0]) * 10 + digit])).to_pylist()[0]
    assert masked[:8] == f"{int(after[0]):08d}"
    assert CPF().validate(masked)


def test_numeric_cnpjs_stay_numeric_valid_and_keep_their_order():
    roots = random.Random(7).sample(range(10**8), 5_000)
    plain = cnpjs([f"{root:08d}{1 + place % 3:04d}" for place, root in enumerate(roots)])
    masked = masked_documents(plain).to_pylist()
    assert len(set(masked)) == 5_000
    assert all(text.isdigit() and CNPJ().validate(text) for text in masked)
    assert [text[8:12] for text in masked] == [text[8:12] for text in plain.to_pylist()]


def test_branches_of_one_company_stay_together():
    masked = masked_documents(cnpjs([f"12345678{order:04d}" for order in (1, 2, 77)])).to_pylist()
    assert len({text[:8] for text in masked}) == 1


def test_the_official_alphanumeric_cnpj_stays_alphanumeric_and_valid():
    masked = masked_documents(texts("12ABC34501DE35")).to_pylist()[0]
    assert re.fullmatch(r"[0-9A-Z]{8}01DE[0-9]{2}", masked)
    assert re.search(r"[A-Z]", masked[:8])
    assert cnpjs([masked[:12]]).to_pylist() == [masked]


@pytest.mark.parametrize(
    ("alphabet", "kind"),
    [
        ("0123456789ABCDEGHJKLMNPRSTVWXYZ", r"(?=.*[A-Z])[0-9A-EGHJ-NPR-TV-Z]{8}"),
        ("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ", r"(?=.*[FIOQU])[0-9A-Z]{8}"),
    ],
    ids=["letters", "barred letters"],
)
def test_roots_with_letters_keep_their_kind_and_stay_apart(alphabet, kind):
    chance = random.Random(8)
    drawn = {"".join(chance.choices(alphabet, k=8)) for _ in range(3_000)}
    roots = [root for root in sorted(drawn) if re.fullmatch(kind, root)]
    masked = masked_documents(cnpjs([root + "0001" for root in roots])).to_pylist()
    assert len(roots) > 1_000
    assert len(set(masked)) == len(roots)
    assert all(re.fullmatch(kind, text[:8]) for text in masked)


def test_people_and_companies_are_masked_in_one_column_as_they_are_alone():
    people, companies = cpfs([529982247, 111444777]), cnpjs(["112223330001", "12ABC34501DE"])
    mixed = pa.concat_arrays([companies[:1], people, companies[1:]])
    alone = [masked_documents(part).to_pylist() for part in (companies[:1], people, companies[1:])]
    assert masked_documents(mixed).to_pylist() == list(itertools.chain(*alone))


@pytest.mark.parametrize(
    "document",
    [
        "52998224724",
        "11111111111",
        "00000000000",
        "529982247-5",
        "529982247",
        "",
        "11222333000182",
        "00000000000000",
        "12abc34501DE35",
        "12ABC34501DEA5",
        "12.ABC.345/01DE-35",
    ],
)
def test_a_document_that_is_not_valid_is_refused_and_not_quoted(document):
    with pytest.raises(NotMaskable, match=r"customers\.document_number: 1 rows") as refusal:
        masked_documents(texts("52998224725", document, "11222333000181"))
    assert not document or document not in str(refusal.value)


def test_names_are_permuted_within_the_vocabulary_and_come_back():
    tables, chance = vendored_names(), random.Random(9)
    drawn = {(chance.choice(tables.given), *chance.choices(tables.surnames, k=2)) for _ in range(20_000)}
    names = pa.array(sorted(" ".join(words) for words in drawn))
    masked = mask_names(names, key=KEY, column="customers.name", tables=tables)
    assert len(set(masked.to_pylist())) == len(names)
    words = [text.split(" ") for text in masked.to_pylist()]
    assert {given for given, _, _ in words} <= set(tables.given)
    assert {surname for _, *surnames in words for surname in surnames} <= set(tables.surnames)
    assert unmask_names(masked, key=KEY, column="customers.name", tables=tables) == names


@pytest.mark.parametrize(
    "name", ["Maria", "Maria Silva", "Maria Silva Xxyyzz", "Maria  Silva Silva", "maria Silva Silva", ""]
)
def test_a_name_that_is_not_of_the_vocabulary_is_refused(name):
    with pytest.raises(NotMaskable, match=r"customers\.name: 1 rows"):
        mask_names(texts("Maria Silva Santos", name), key=KEY, column="customers.name", tables=vendored_names())


def masked_companies(values, key=KEY):
    return mask_company_names(values, key=key, column="suppliers.name", tables=vendored_company_names())


def masked_mix(values):
    return mask_mixed_names(
        values, key=KEY, column="customers.name", people=vendored_names(), companies=vendored_company_names()
    )


@pytest.fixture(scope="module")
def many_companies():
    tables, chance = vendored_company_names(), random.Random(12)
    drawn = {
        " ".join(
            [
                chance.choice(tables.words.given),
                *chance.choices(tables.words.surnames, k=2),
                chance.choice(("Ltda", "S.A.")),
            ]
        )
        for _ in range(20_000)
    }
    return sorted(drawn)


def test_companies_keep_their_legal_form_and_stay_apart(many_companies):
    tables = vendored_company_names().words
    masked = masked_companies(texts(*many_companies)).to_pylist()
    assert len(set(masked)) == len(many_companies)
    for before, after in zip(many_companies, masked, strict=True):
        activity, first, second, form = after.split(" ")
        assert activity in tables.given
        assert {first, second} <= set(tables.surnames)
        assert form == before.split(" ")[-1]
    assert sum(before == after for before, after in zip(many_companies, masked, strict=True)) < 3


def test_a_company_s_mask_depends_on_the_key_and_not_on_its_neighbours(many_companies):
    some = many_companies[:500]
    masked = masked_companies(texts(*some)).to_pylist()
    assert masked_companies(texts(*some[::-1])).to_pylist() == masked[::-1]
    assert not set(masked) & set(masked_companies(texts(*some), OTHER_KEY).to_pylist())


def test_the_same_words_in_two_legal_forms_have_two_masks():
    first, second = masked_companies(texts("Padaria Lima Costa Ltda", "Padaria Lima Costa S.A.")).to_pylist()
    assert first.removesuffix("Ltda") != second.removesuffix("S.A.")


def test_names_of_people_and_companies_are_masked_in_one_column_as_they_are_alone(many_companies):
    people = ["Maria Silva Santos", "José Souza Lima", "Ana Costa Alves"]
    mixed = [many_companies[0], people[0], people[1], *many_companies[1:4], people[2]]
    masked = masked_mix(texts(*mixed)).to_pylist()
    alone = mask_names(texts(*people), key=KEY, column="customers.name", tables=vendored_names()).to_pylist()
    assert [masked[place] for place in (1, 2, 6)] == alone
    assert [masked[place] for place in (0, 3, 4, 5)] == masked_companies(texts(*many_companies[:4])).to_pylist()
    assert len(set(masked)) == len(mixed)


def test_a_column_without_companies_or_without_anybody_is_masked_too():
    assert masked_mix(texts("Maria Silva Santos")).to_pylist() != ["Maria Silva Santos"]
    assert len(masked_mix(texts("Padaria Lima Costa Ltda"))) == 1
    assert len(masked_mix(texts())) == len(masked_companies(texts())) == 0


@pytest.mark.parametrize(
    "name",
    ["Maria Silva Santos", "Padaria Silva Ltda", "Padaria Silva Santos LTDA", "Xyz Silva Santos Ltda", "Ltda", ""],
)
def test_a_company_name_that_is_not_of_the_vocabulary_is_refused_and_not_quoted(name):
    with pytest.raises(NotMaskable, match=r"suppliers\.name: 1 rows") as refusal:
        masked_companies(texts("Padaria Silva Santos Ltda", name))
    assert not name or name not in str(refusal.value).replace("Ltda or", "")


def test_lists_with_fewer_than_a_million_names_are_refused():
    tables = NameTables(given=("Ana", "Rui"), surnames=tuple(f"S{number}" for number in range(700)))
    with pytest.raises(SmallDomain, match="980000"):
        mask_names(texts("Ana S1 S2"), key=KEY, column="customers.name", tables=tables)


@pytest.mark.parametrize("given", [("Ana", "Ana"), ("Ana Maria",), ("",)])
def test_lists_that_could_not_be_read_back_are_refused(given):
    with pytest.raises(ValueError, match="word twice"):
        NameTables(given=given, surnames=("Silva",))


def test_emails_keep_length_punctuation_and_reserved_domain_and_stay_apart():
    chance = random.Random(10)
    drawn = {"".join(chance.choices("abcdefgh01234.", k=chance.randint(9, 30))).strip(".") for _ in range(20_000)}
    domains = itertools.cycle(["example.com", "example.org", "example.net", "mail.example.com", "acme.invalid"])
    plain = [f"{local}@{domain}" for local, domain in zip(sorted(drawn), domains, strict=False)]
    masked = masked_emails(texts(*plain))
    assert len(set(masked)) == len(plain)
    for before, after in zip(plain, masked, strict=True):
        assert after.partition("@")[2] == before.partition("@")[2]
        assert re.fullmatch(r"[a-z0-9.]+@.*", after)
        assert [at for at, character in enumerate(after) if character == "."] == [
            at for at, character in enumerate(before) if character == "."
        ]
    assert not set(masked) & set(plain)


def test_addresses_that_somebody_could_have_become_reserved_ones():
    masked = masked_emails(texts("maria.souza@gmail.com", "maria.souza@example.org", "jose.lima@notexample.com"))
    assert [address.partition("@")[2] for address in masked] == ["example.com", "example.org", "example.com"]
    assert masked[0].partition("@")[0] == masked[1].partition("@")[0]


@pytest.mark.parametrize(
    "email",
    [
        "abc@example.com",
        "Maria.souza@example.com",
        "maria souza@example.com",
        "no-at",
        "a@b@example.com",
        "maria@",
        "maria@b@gmail.com",
        "",
    ],
)
def test_an_address_that_no_rule_covers_is_refused_and_not_quoted(email):
    with pytest.raises(NotMaskable, match=r"customers\.email") as refusal:
        masked_emails(texts("jose.lima@example.com", email, "ana.lima@example.com"))
    assert not email or email not in str(refusal.value)


def test_phones_keep_country_area_and_nine_and_stay_apart():
    chance = random.Random(11)
    drawn = {(chance.choice([11, 21, 63, 99]), chance.randrange(10**8)) for _ in range(50_000)}
    plain = [f"+55{area}9{number:08d}" for area, number in sorted(drawn)]
    masked = masked_phones(texts(*plain))
    assert len(set(masked)) == len(plain)
    assert [text[:6] for text in masked] == [text[:6] for text in plain]
    assert all(re.fullmatch(r"\+55[1-9][0-9]9[0-9]{8}", text) for text in masked)


def test_the_same_number_in_two_areas_gives_two_masks():
    first, second = masked_phones(texts("+5511987654321", "+5521987654321"))
    assert first[6:] != second[6:]


@pytest.mark.parametrize(
    "phone",
    ["5511987654321", "+551187654321", "+5511887654321", "+5511 98765432", "+4411987654321", "+55119876543\uff12"],
)
def test_a_number_that_is_no_mobile_one_is_refused(phone):
    with pytest.raises(NotMaskable, match=r"customers\.phone: 1 rows"):
        masked_phones(texts("+5511987654321", phone))


@pytest.mark.parametrize("mask", [masked_documents, masked_emails, masked_phones])
def test_an_empty_column_stays_empty(mask):
    assert len(mask(texts())) == 0
