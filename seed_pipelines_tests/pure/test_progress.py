"""What is shown of a seed run under way, and the exit code by which its end is told."""

import json
import re
from datetime import UTC, datetime

import pytest

from seed_pipelines.cli.progress import Pace, Sighting, duration, line_of, object_of
from seed_pipelines.cli.watch import follow
from seed_pipelines.errors import ApiUnavailable, error_class_of

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def seen(seconds=0.0, **changes):
    whole = {
        "seconds": seconds,
        "seed_run_id": "0b9c2f04-3c5d-4f0e-9a52-5b8f6d1e7a10",
        "name": "dev/acme",
        "state": "running",
        "rows": 0,
        "planned_rows": 10_000,
        "batches": 0,
        "planned_batches": 20,
        "spent_micro_brl": 250_000,
        "cap_micro_brl": 10_000_000,
        "closes_in_seconds": 7_620.0,
    }
    return Sighting(**(whole | changes))


def pace_of(*sightings):
    pace = Pace()
    for sighting in sightings:
        pace.add(sighting)
    return pace


def test_a_line_says_rows_speed_batches_time_left_budget_and_window():
    last = seen(10.0, rows=5_000, batches=9)
    assert line_of(last, pace_of(seen(), last)) == (
        "dev/acme running: 5,000 of 10,000 rows, 500 rows/s, 9 of 20 batches, 10 s left, R$ 0.25 of R$ 10.00, "
        "window closes in 2 h 07 min"
    )


def test_a_line_leaves_out_what_is_not_known():
    last = seen(planned_batches=None, cap_micro_brl=None, closes_in_seconds=None, batches=3)
    assert line_of(last, pace_of(last)) == "dev/acme running: 0 of 10,000 rows, 3 batches"


def test_the_speed_is_that_of_the_last_quarter_of_a_minute():
    slow = [seen(float(second), rows=second) for second in range(100)]
    fast = [seen(100.0 + second, rows=100 + 50 * second) for second in range(17)]
    assert pace_of(*slow).rows_per_second == pytest.approx(1)
    assert pace_of(*slow, *fast).rows_per_second == pytest.approx(50)


@pytest.mark.parametrize(
    "sightings",
    [
        [seen()],
        [seen(), seen(5.0)],
        [seen(), seen(0.0, rows=100)],
        [seen(), seen(5.0, rows=99)],
        [seen(0.0, rows=500), seen(5.0, rows=400)],
        [seen(), seen(5.0, rows=500, state="published")],
    ],
)
def test_time_left_is_not_told_before_it_can_be(sightings):
    assert pace_of(*sightings).seconds_left is None


def test_a_program_gets_the_same_as_numbers():
    last = seen(10.0, rows=5_000, batches=9)
    found = object_of(last, pace_of(seen(), last), now=NOW)
    assert json.loads(json.dumps(found)) == found
    assert (found["rows_per_second"], found["seconds_left"], found["window_closes_in_seconds"]) == (500, 10, 7620)
    assert found["budget_micro_brl"] == 10_000_000


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.4, "59 s"), (185, "3 min 05 s"), (7_620, "2 h 07 min"), (90_000, "25 h 00 min")],
)
def test_a_duration_is_short(seconds, text):
    assert duration(seconds) == text


def never_asked():
    pytest.fail("asked again after the end")
    yield


def ending(*sightings):
    yield seen()
    yield from sightings
    yield from never_asked()


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (seen(1.0, state="published", rows=10_000), 0),
        (seen(1.0, state="cancelled", error_code="seed-run-cancelled"), 5),
        (seen(1.0, state="paused", error_code="window-closed"), 5),
        (seen(1.0, state="aborted", error_code="budget-exhausted"), 4),
        (seen(1.0, state="aborted", error_code="stopped-by-flag"), 3),
        (seen(1.0, state="aborted", error_code="of-a-later-version"), 4),
    ],
)
def test_watch_ends_with_the_seed_run_and_tells_how_by_its_exit_code(capsys, end, code):
    assert follow(ending(end), as_json=False) == code
    lines = capsys.readouterr().out.splitlines()
    assert [re.match(r"dev/acme (\w+)", line)[1] for line in lines] == ["running", end.state]


def test_a_failed_run_that_is_taken_up_again_goes_on(capsys):
    tries = [seen(5.0, state="failed"), seen(50.0, state="failed"), seen(51.0), seen(70.0, state="failed")]
    assert follow(ending(*tries, seen(90.0, state="published")), as_json=True) == 0
    states = [json.loads(line)["state"] for line in capsys.readouterr().out.splitlines()]
    assert states == ["running", "failed", "failed", "running", "failed", "published"]


def test_a_run_that_stays_failed_has_ended(capsys):
    tries = [seen(float(second), state="failed", error_code="rows-lost") for second in range(1, 62)]
    assert follow(ending(*tries), as_json=True) == 4
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (last["state"], last["error_code"]) == ("failed", "rows-lost")


def test_a_line_comes_every_five_seconds_while_nothing_changes(capsys):
    running = [seen(second / 2) for second in range(1, 40)]
    assert follow(ending(*running, seen(20.0, state="published")), as_json=False) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1 + 3 + 1


def test_an_error_that_another_process_told_keeps_its_class_code_and_words():
    told = error_class_of("api-unavailable").as_told("cannot reach it: it sleeps.")
    assert isinstance(told, ApiUnavailable)
    assert (told.code, told.exit_code, told.retryable, str(told)) == (
        "api-unavailable",
        4,
        True,
        "cannot reach it: it sleeps.",
    )
