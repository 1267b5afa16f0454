"""Chance addressed by counter."""

import numpy as np
import pytest

from seed_pipelines.generate.quantiles import Quantiles
from seed_pipelines.generate.streams import Draws, StreamKey, positions, raw_bits, scaled

STREAM = StreamKey(seed=b"seed", entity="loans", column="rate")
WORDS = raw_bits(STREAM, first_row=0, rows=100)


@pytest.mark.parametrize("first_row", [0, 1, 3, 4, 5, 39])
@pytest.mark.parametrize("rows", [0, 1, 2, 7, 60])
def test_any_range_alone_gives_the_words_of_the_whole(first_row, rows):
    alone = raw_bits(STREAM, first_row=first_row, rows=rows)
    np.testing.assert_array_equal(alone, WORDS[first_row : first_row + rows])


def test_rows_far_away_are_reached_without_walking():
    far = 10**15
    np.testing.assert_array_equal(
        raw_bits(STREAM, first_row=far + 3, rows=5), raw_bits(STREAM, first_row=far, rows=8)[3:]
    )


def _philox_words(key, count):
    """Philox4x64 with ten rounds, written from its definition."""
    words = []
    for number in range(1, count + 1):
        counter, (k0, k1) = [number, 0, 0, 0], (key % 2**64, key >> 64)
        for _ in range(10):
            p0, p1 = counter[0] * 0xD2E7470EE14C6C93, counter[2] * 0xCA5A826395121157
            counter = [(p1 >> 64) ^ counter[1] ^ k0, p1 % 2**64, (p0 >> 64) ^ counter[3] ^ k1, p0 % 2**64]
            k0, k1 = (k0 + 0x9E3779B97F4A7C15) % 2**64, (k1 + 0xBB67AE8584CAA73B) % 2**64
        words += counter
    return words


def test_the_words_are_those_of_philox_as_it_is_defined():
    assert WORDS[:40].tolist() == _philox_words(STREAM.philox_key, 10)


@pytest.mark.parametrize(
    "other",
    [
        StreamKey(seed=b"seeds", entity="loans", column="rate"),
        StreamKey(seed=b"seed", entity="loansr", column="ate"),
        StreamKey(seed=b"seed", entity="loans", column="count"),
    ],
)
def test_another_name_is_another_stream(other):
    assert not (raw_bits(other, first_row=0, rows=100) == WORDS).any()


@pytest.mark.parametrize("span", [1, 2, 3, 1000, 2**31])
def test_scaled_words_stay_in_their_span(span):
    extremes = np.array([0, 2**64 - 1], dtype=np.uint64)
    assert scaled(extremes, span).tolist() == [0, span - 1]


def test_scaled_words_are_spread_evenly():
    counts = np.bincount(scaled(raw_bits(STREAM, first_row=0, rows=70_000), 7), minlength=7)
    assert counts.min() > 9_500
    assert counts.max() < 10_500


def test_weighted_draws_keep_the_weights_and_never_take_a_weight_of_nothing():
    draws = Draws(seed=b"seed", entity="loans", first_row=0, rows=100_000)
    counts = np.bincount(draws.weighted("city", (1, 1, 4, 10)), minlength=4)
    assert counts[1] == 0
    np.testing.assert_allclose(counts / 100_000, [0.1, 0, 0.3, 0.6], atol=0.01)


@pytest.mark.parametrize("cumulative", [(1,), (0, 3, 3, 10), (100, 4_095, 4_096), (100, 4_096, 4_097), (7, 2**31)])
def test_a_number_lies_in_the_first_part_whose_running_sum_is_above_it(cumulative):
    numbers = sorted({number for each in cumulative for number in (0, each - 1, each) if 0 <= number < cumulative[-1]})
    expected = [next(part for part, end in enumerate(cumulative) if number < end) for number in numbers]
    assert positions(np.array(numbers), cumulative).tolist() == expected


def test_quantiles_put_each_share_below_its_value():
    draws = Draws(seed=b"seed", entity="customers", first_row=0, rows=100_000)
    values = Quantiles(shares=(0, 50, 90, 100), values=(10, 20, 100, 1_000)).of(draws.bits("income"))
    assert values.min() >= 10
    assert values.max() < 1_000
    np.testing.assert_allclose([(values < 20).mean(), (values < 100).mean()], [0.5, 0.9], atol=0.01)
