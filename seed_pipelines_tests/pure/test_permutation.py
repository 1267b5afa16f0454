"""Keyed permutations."""

import numpy as np
import pytest

from seed_pipelines.generate.permutation import Permutation


@pytest.mark.parametrize("key", [0, 1, 2**63 - 1])
@pytest.mark.parametrize("size", [*range(1, 70), 255, 256, 257, 4095, 4097, 65_537, 100_003])
def test_every_position_goes_to_another_place(size, key):
    places = Permutation(size=size, key=key).of_range(0, size)
    np.testing.assert_array_equal(np.sort(places), np.arange(size))


@pytest.mark.parametrize("size", [10**8, 10**8 - 10, 2**28, 2**28 + 1, 10**9, 36**6, 2**62])
def test_a_large_domain_keeps_positions_apart_and_inside(size):
    first = size // 2
    places = Permutation(size=size, key=7).of_range(first, 300_000)
    assert places.min() >= 0
    assert places.max() < size
    assert len(np.unique(places)) == 300_000


def test_any_positions_alone_go_where_they_go_together():
    permutation = Permutation(size=1_000, key=3)
    together = permutation.of_range(0, 1_000)
    chosen = np.array([999, 0, 500, 3])
    np.testing.assert_array_equal(permutation.of(chosen), together[chosen])
    np.testing.assert_array_equal(permutation.of_range(300, 50), together[300:350])


def test_another_key_is_another_order():
    one, other = (Permutation(size=10_000, key=key).of_range(0, 10_000) for key in (1, 2))
    assert (one == other).mean() < 0.01


def test_neighbours_are_not_left_together():
    places = Permutation(size=100_000, key=5).of_range(0, 100_000)
    assert (np.abs(np.diff(places)) < 100).mean() < 0.01
    halves = places[:50_000] < 50_000
    assert 0.48 < halves.mean() < 0.52
