"""From generated rows to stored rows: every personal column is masked, encrypted, and digested where that is asked for.

Plain rows come in with an entity's columns; what goes out has its stored columns, in order, and no masked text.
Other columns pass untouched. The same rows and keys give the same bytes. A value that a policy has no rule for is
refused, never passed on.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from seed_pipelines.catalog import Entity, Pii
from seed_pipelines.mask import pgp
from seed_pipelines.mask.digests import keyed_digests
from seed_pipelines.mask.documents import mask_documents
from seed_pipelines.mask.emails import mask_emails
from seed_pipelines.mask.keys import ColumnKeys, FieldKeys
from seed_pipelines.mask.names import NameTables, mask_names, vendored_names
from seed_pipelines.mask.phones import mask_phones


class Mask(Protocol):
    """Masks a text column without nulls; `column` is what refusals name."""

    def __call__(self, values: pa.Array, *, key: bytes, column: str) -> pa.Array: ...


def masks(names: NameTables) -> Mapping[Pii, Mask]:
    """The mask of each kind of personal column."""
    return {
        Pii.DOCUMENT: mask_documents,
        Pii.NAME: partial(mask_names, tables=names),
        Pii.EMAIL: mask_emails,
        Pii.PHONE: mask_phones,
    }


def mask_batch(
    entity: Entity, batch: pa.RecordBatch, keys: FieldKeys, *, names: NameTables | None = None
) -> pa.RecordBatch:
    """The stored rows of generated rows; raises NotMaskable or SmallDomain. The generator's names if none are given."""
    if not entity.personal_columns:
        return batch.select([column.name for column in entity.columns])
    mask_of = masks(names or vendored_names())
    row_ids = batch.column("id").to_numpy()
    arrays: list[pa.Array] = []
    for column in entity.columns:
        values = batch.column(column.name)
        if column.pii is None:
            arrays.append(values)
            continue
        protection = _Protection(
            label=f"{entity.name}.{column.name}",
            mask=mask_of[column.pii],
            keys=keys.column(entity.name, column.name),
            has_digest=column.digest,
        )
        arrays.extend(protection.stored(values, row_ids))
    return pa.RecordBatch.from_arrays(arrays, names=[column.name for column in entity.stored_columns])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Protection:
    """What happens to one personal column."""

    label: str
    mask: Mask
    keys: ColumnKeys
    has_digest: bool

    def stored(self, values: pa.Array, row_ids: NDArray[np.int64]) -> Iterator[pa.Array]:
        """The column as it is stored: nulls stay where they are."""
        if not values.null_count:
            yield from self._without_nulls(values, row_ids)
            return
        present = values.is_valid().to_numpy(zero_copy_only=False)
        places = pa.array(np.cumsum(present) - 1, mask=~present)
        for stored in self._without_nulls(values.drop_null(), row_ids[present]):
            yield stored.take(places)

    def _without_nulls(self, values: pa.Array, row_ids: NDArray[np.int64]) -> Iterator[pa.Array]:
        masked = self.mask(values, key=self.keys.ff1, column=self.label)
        yield pgp.encrypt(masked, row_ids=row_ids, key=self.keys.pgp)
        if self.has_digest:
            yield keyed_digests(masked, key=self.keys.digest)
