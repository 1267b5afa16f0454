"""What rows cost: to write, to keep for a month, and to work on. Whole millionths of a real, never floating point."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from seed_pipelines import catalog

# Bytes of a row's header and item pointer in a PostgreSQL page.
_ROW_OVERHEAD_BYTES = 28
_STORED_BYTES = MappingProxyType(
    {
        catalog.ColumnType.UUID: 16,
        catalog.ColumnType.BIGINT: 8,
        catalog.ColumnType.INTEGER: 4,
        catalog.ColumnType.SMALLINT: 2,
        catalog.ColumnType.DATE: 4,
        catalog.ColumnType.TIMESTAMP: 8,
        catalog.ColumnType.TEXT: 12,
        catalog.ColumnType.BYTES: 80,
    }
)


# What one worker writes of all entities together on two cores (benchmarks/); an estimate, no promise.
REFERENCE_ROWS_PER_SECOND = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceBook:
    """What a seed run costs, in millionths of a real."""

    million_rows_micro_brl: int = 250_000
    gib_month_micro_brl: int = 650_000
    worker_hour_micro_brl: int = 400_000

    def cost_micro_brl(self, rows: int, *, stored_bytes: int) -> int:
        """Rows written, one month of storage, and the hours of a worker at the reference speed; each rounded up."""
        return sum(-(-amount // unit) for amount, unit in self._parts(rows, stored_bytes))

    def batch_micro_brl(self, entity: str, *, first_row: int, rows: int) -> int:
        """The share of one batch. The batches of all entities together never cost more than the plan."""
        return self._upto(entity, first_row + rows) - self._upto(entity, first_row)

    def _upto(self, entity: str, rows: int) -> int:
        stored_bytes = rows * _row_bytes(entity)
        return sum(amount // unit for amount, unit in self._parts(rows, stored_bytes))

    def _parts(self, rows: int, stored_bytes: int) -> tuple[tuple[int, int], ...]:
        return (
            (rows * self.million_rows_micro_brl, 10**6),
            (stored_bytes * self.gib_month_micro_brl, 2**30),
            (rows * self.worker_hour_micro_brl, 3600 * REFERENCE_ROWS_PER_SECOND),
        )


STANDARD_PRICES = PriceBook()


def stored_bytes_of(rows: Mapping[str, int]) -> int:
    """About what the tables of so many rows of each entity take on disk, without their indexes."""
    return sum(count * _row_bytes(entity) for entity, count in rows.items())


@cache
def _row_bytes(entity: str) -> int:
    return _ROW_OVERHEAD_BYTES + sum(_STORED_BYTES[column.type] for column in catalog.ENTITIES[entity].stored_columns)
