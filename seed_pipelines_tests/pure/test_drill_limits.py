"""A drill's own limits may not keep a checkpoint back for longer than five minutes."""

from decimal import Decimal

import pytest
from factories import make_plan
from seed_runs import with_manifest

from seed_pipelines.drill_limits import assert_checkpoints_in_time
from seed_pipelines.errors import CheckpointsHeldBack
from seed_pipelines.generate.rows import COUNTERS
from seed_pipelines.manifest.model import Backoff, RateLimit
from seed_pipelines.plan import Overrides, plan_of

SLOW = RateLimit(limit=1, window_seconds=100)
LONG = Backoff(base_seconds=1, jitter_factor=Decimal("0.5"), max_retries=5, max_interval_seconds=201)


def manifest_with(mode="dr", **limits):
    return with_manifest(make_plan(customers=10, mode=mode), **limits).manifest


@pytest.mark.parametrize(
    ("limits", "shards"),
    [
        ({"rate_limit": SLOW}, 4),
        ({"rate_limit": RateLimit(limit=1, window_seconds=301)}, 1),
        ({"backoff": LONG}, 1),
    ],
    ids=["turns that many shards share", "turns", "backoff"],
)
def test_limits_that_keep_a_checkpoint_back_for_too_long_are_refused(limits, shards):
    with pytest.raises(CheckpointsHeldBack, match="a drill needs one every 300 s"):
        assert_checkpoints_in_time(manifest_with(**limits), shards=shards)
    assert_checkpoints_in_time(manifest_with("carga", **limits), shards=shards)


@pytest.mark.parametrize(
    ("limits", "shards"),
    [
        ({"rate_limit": SLOW}, 3),
        ({"backoff": LONG.model_copy(update={"max_interval_seconds": 200})}, 1),
    ],
    ids=["turns", "backoff"],
)
def test_five_minutes_are_not_too_long(limits, shards):
    assert_checkpoints_in_time(manifest_with(**limits), shards=shards)


def test_no_such_drill_is_planned():
    with pytest.raises(CheckpointsHeldBack, match=r"4 shards share, may keep a checkpoint back for 400\.0 s"):
        plan_of(manifest_with(rate_limit=SLOW), counters=COUNTERS, overrides=Overrides(shards=4))
