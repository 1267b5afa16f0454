"""The hourly purge: whatever expired or served its purpose goes away, for the schedule and for `--expired` alike.

Each dataset is a transaction of its own: one that cannot go yet keeps no other. A tenant with a seed run at work is
left for the next hour; a dataset that other rows refer to is an outcome with its error, so that people see it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from seed_pipelines.control import checkpoints, purge
from seed_pipelines.control.purge import ListedDataset
from seed_pipelines.errors import DatasetNotFound, LeaseHeldElsewhere, SeedError
from seed_pipelines.outside.postgres import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one expired dataset; `error` is None where it is gone."""

    dataset: ListedDataset
    rows: Mapping[str, int]
    error: SeedError | None

    @property
    def waits(self) -> bool:
        """Whether the next hour may do better without anybody's help."""
        return self.error is not None and (self.error.retryable or isinstance(self.error, LeaseHeldElsewhere))


@dataclass(frozen=True, slots=True, kw_only=True)
class Purged:
    """What one purge did."""

    outcomes: tuple[Outcome, ...]
    checkpoints: int
    ended: int
    api_rows: int

    @property
    def refused(self) -> list[SeedError]:
        """Why datasets stay until somebody does something."""
        return [outcome.error for outcome in self.outcomes if outcome.error and not outcome.waits]


def purge_expired(connection: Connection, *, environment: str | None) -> Purged:
    """Purge the expired datasets of an environment, or of all, and what nobody needs any more beside them."""
    ended = checkpoints.end_expired(connection, environment=environment)
    return Purged(
        ended=len(ended),
        outcomes=tuple(purge_datasets_of(connection, environment=environment)),
        checkpoints=purge.purge_checkpoints(connection),
        api_rows=purge.purge_api_rows(connection),
    )


def purge_datasets_of(connection: Connection, *, environment: str | None) -> list[Outcome]:
    """Purge every expired dataset of an environment, or of all; whatever becomes of one, the others are tried."""
    outcomes = []
    for dataset in purge.listed(connection, environment=environment, only_expired=True):
        try:
            rows = purge.purge(connection, dataset.name, reason="expired")
            outcomes.append(Outcome(dataset=dataset, rows=rows, error=None))
        except DatasetNotFound:
            # Published anew, or purged by somebody else, since it was listed.
            continue
        except SeedError as error:
            outcomes.append(Outcome(dataset=dataset, rows={}, error=error))
    return outcomes
