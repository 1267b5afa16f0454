"""The daily window, in UTC."""

from datetime import UTC, datetime, time, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seed_pipelines.errors import WindowImpossible
from seed_pipelines.manifest.window import Window

NIGHT = Window(start=time(22), end=time(9))
MORNING = Window(start=time(1, 30), end=time(5))
MINUTES = st.builds(time, st.integers(0, 23), st.integers(0, 59))
MOMENTS = st.integers(946_771_200, 4_102_272_000).map(lambda seconds: datetime.fromtimestamp(seconds, tz=UTC))


def at(hour, minute=0, second=0, microsecond=0, day=2):
    return datetime(2026, 11, day, hour, minute, second, microsecond, tzinfo=UTC)


@st.composite
def windows(draw):
    start = draw(MINUTES)
    return Window(start=start, end=draw(MINUTES.filter(lambda end: end != start)))


@pytest.mark.parametrize(
    ("window", "now", "is_open"),
    [
        (NIGHT, at(22), True),
        (NIGHT, at(21, 59, 59, 999_999), False),
        (NIGHT, at(0), True),
        (NIGHT, at(8, 59, 59, 999_999), True),
        (NIGHT, at(9), False),
        (MORNING, at(1, 30), True),
        (MORNING, at(5), False),
        (MORNING, at(22), False),
    ],
)
def test_a_window_is_open_from_its_start_to_just_before_its_end(window, now, is_open):
    assert window.is_open(now) is is_open


@pytest.mark.parametrize(
    ("window", "now", "opens", "closes"),
    [
        (NIGHT, at(12), at(22), at(9, day=3)),
        (NIGHT, at(22), at(22, day=3), at(9, day=3)),
        (NIGHT, at(3), at(22), at(9)),
        (NIGHT, at(9), at(22), at(9, day=3)),
        (MORNING, at(5), at(1, 30, day=3), at(5, day=3)),
        (MORNING, at(2), at(1, 30, day=3), at(5)),
        (Window(start=time(0), end=time(23, 59)), at(23, 59), at(0, day=3), at(23, 59, day=3)),
    ],
)
def test_the_next_opening_and_the_closing_are_known(window, now, opens, closes):
    assert window.next_opening(now) == opens
    assert window.closes_at(now) == closes


@given(windows(), MOMENTS)
def test_opening_and_closing_are_ahead_and_agree_with_being_open(window, now):
    opens, closes = window.next_opening(now), window.closes_at(now)
    assert now < opens <= now + timedelta(days=1)
    assert now < closes <= now + timedelta(days=2)
    assert window.is_open(opens)
    assert not window.is_open(opens - timedelta(microseconds=1))
    assert not window.is_open(closes)
    assert window.is_open(closes - timedelta(microseconds=1))
    assert window.is_open(now) == (closes < opens)


def test_another_zone_is_the_same_moment():
    sao_paulo = timezone(timedelta(hours=-3))
    assert NIGHT.is_open(datetime(2026, 11, 2, 19, tzinfo=sao_paulo))
    assert not NIGHT.is_open(datetime(2026, 11, 2, 18, 59, tzinfo=sao_paulo))


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="aware"):
        NIGHT.is_open(datetime(2026, 11, 2, 22))  # noqa: DTZ001 (the mistake that is tested)


def test_a_window_that_is_never_open_cannot_be_made():
    with pytest.raises(WindowImpossible, match="22:00"):
        Window(start=time(22), end=time(22))


def test_a_window_is_written_as_people_write_it():
    assert str(NIGHT) == "22:00-09:00"
