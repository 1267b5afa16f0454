"""The hash of content."""

import pyarrow as pa
import pytest

from seed_pipelines.generate.digest import ContentDigest, dataset_hash, digest_of

SCHEMA = pa.schema(
    [
        ("number", pa.int64()),
        ("small", pa.int16()),
        ("day", pa.date32()),
        ("moment", pa.timestamp("us", tz="UTC")),
        ("text", pa.string()),
        ("raw", pa.binary()),
    ]
)
ROWS = [
    {"number": number - 3, "small": number, "day": number, "moment": number, "text": text, "raw": text.encode()}
    for number, text in enumerate(["", "a", "ab", "ba", "á", "ab", "", "aaaa", "aa", "a" * 99])
]


def _batch(rows):
    return pa.RecordBatch.from_pylist(rows, schema=SCHEMA)


def _digest(rows, first_row=0):
    return digest_of(_batch(rows), first_row=first_row)


def _changed(row, **values):
    return [{**old, **values} if number == row else old for number, old in enumerate(ROWS)]


@pytest.mark.parametrize("cut", range(1, len(ROWS)))
def test_parts_add_up_to_the_whole(cut):
    parts = _digest(ROWS[cut:], first_row=cut).combine(_digest(ROWS[:cut]))
    assert parts == _digest(ROWS)
    whole = _batch(ROWS)
    sliced = digest_of(whole.slice(cut), first_row=cut).combine(digest_of(whole.slice(0, cut), first_row=0))
    assert sliced == _digest(ROWS)


@pytest.mark.parametrize(
    "changed",
    [
        _changed(2, number=0),
        _changed(2, number=-(2**63)),
        _changed(2, small=3),
        _changed(2, day=3),
        _changed(2, moment=3),
        _changed(2, text="ac"),
        _changed(2, text="ba"),
        _changed(2, text="ab\0"),
        _changed(2, raw=b"b"),
        _changed(0, text=None),
        _changed(3, number=None),
        _changed(0, raw=None),
        _changed(0, small=None),
        _changed(0, day=None),
        _changed(1, text="b", raw=b"a"),
        _changed(1, text="a", raw=b"b"),
        [ROWS[1], ROWS[0], *ROWS[2:]],
        ROWS[:-1],
        [*ROWS, ROWS[-1]],
    ],
)
def test_any_change_changes_it(changed):
    assert _digest(changed) != _digest(ROWS)


def test_the_same_rows_elsewhere_have_another_digest():
    assert _digest(ROWS, first_row=1) != _digest(ROWS)


@pytest.mark.parametrize("copies", [1, 40])
def test_a_text_weighs_the_same_whether_it_is_common_or_rare(copies):
    rows = ROWS * copies
    apart = ContentDigest.zero()
    for number, row in enumerate(rows):
        apart = apart.combine(_digest([row], first_row=number))
    assert apart == _digest(rows)


@pytest.mark.parametrize("late", ["b", "late", None, ""])
def test_a_text_weighs_the_same_however_late_it_comes_first(late):
    texts = ["a", "b", "", None, "bb"] * 4_000
    texts[-7] = late
    texts += [f"{number:03d}" for number in range(900)]
    whole = pa.RecordBatch.from_pydict({"text": texts}, schema=pa.schema([("text", pa.string())]))
    parts = ContentDigest.zero()
    for start in range(0, len(texts), 999):
        parts = parts.combine(digest_of(whole.slice(start, 999), first_row=start))
    assert parts == digest_of(whole, first_row=0)


def test_nulls_in_cut_columns_are_counted_once():
    rows = _changed(0, text=None, number=None)
    whole = _batch(rows)
    parts = digest_of(whole.slice(0, 4), first_row=0).combine(digest_of(whole.slice(4), first_row=4))
    assert parts == _digest(rows)


def test_its_text_form_can_be_read_back():
    digest = _digest(ROWS)
    assert len(digest.hex()) == 32
    assert ContentDigest.parse(digest.hex()) == digest
    assert ContentDigest.zero().combine(digest) == digest


def test_the_dataset_s_hash_names_rows_digests_and_what_made_them():
    digests = {"loans": (3, _digest(ROWS)), "customers": (1, ContentDigest.zero())}
    found = dataset_hash(digests)
    assert found == dataset_hash(dict(reversed(digests.items())))
    others = {
        dataset_hash({**digests, "customers": (2, ContentDigest.zero())}),
        dataset_hash({**digests, "loans": (3, ContentDigest.zero())}),
        dataset_hash(digests, generator_version="0.9.0"),
        dataset_hash(digests, vocabulary_sha256="0" * 64),
        dataset_hash({"loans": digests["loans"]}),
    }
    assert len(others | {found}) == 6
