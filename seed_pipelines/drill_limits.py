"""What the limits of a manifest of mode dr may not do: keep a checkpoint back for longer than a drill allows.

Of what a manifest says, two things make a shard wait between one checkpoint and the next: the rate limit, whose turns
all shards share, and the pause before a batch is tried again. What a batch itself takes is not the manifest's to say
(`control.recovery.assert_in_time`).
"""

from seed_pipelines.errors import CheckpointsHeldBack
from seed_pipelines.manifest.model import Manifest, Mode
from seed_pipelines.objectives import RPO_OBJECTIVE_MS


def assert_checkpoints_in_time(manifest: Manifest, *, shards: int) -> None:
    """Raises CheckpointsHeldBack; other modes may wait as long as they like."""
    if manifest.mode is not Mode.DR:
        return
    rate, backoff = manifest.rate_limit, manifest.backoff
    _assert_short(
        f"rate_limit, whose turns {shards} shards share,",
        seconds=shards * float(rate.window_seconds) / float(rate.limit),
        remedy="Raise rate_limit.limit, or lower rate_limit.window_seconds.",
    )
    _assert_short(
        "backoff",
        seconds=float(backoff.max_interval_seconds) * (1 + float(backoff.jitter_factor)),
        remedy="Lower backoff.max_interval_seconds, or backoff.jitter_factor.",
    )


def _assert_short(why: str, *, seconds: float, remedy: str) -> None:
    if seconds * 1000 > RPO_OBJECTIVE_MS:
        raise CheckpointsHeldBack(why, seconds=seconds, remedy=remedy)
