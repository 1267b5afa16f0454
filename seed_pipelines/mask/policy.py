"""From generated rows to stored rows: every personal column is masked, encrypted, and digested where that is asked for.

Plain rows come in with an entity's columns; what goes out has its stored columns, in order, and no masked text.
Other columns pass untouched. The same rows and keys give the same bytes. A value that a policy has no rule for is
refused, never passed on.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from seed_pipelines.catalog import Column, Entity, Pii
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
        protect = partial(
            _protected,
            column=column,
            mask=mask_of[column.pii],
            label=f"{entity.name}.{column.name}",
            keys=keys.column(entity.name, column.name),
        )
        arrays.extend(_around_nulls(values, row_ids, protect))
    return pa.RecordBatch.from_arrays(arrays, names=[column.name for column in entity.stored_columns])


def _protected(
    values: pa.Array, row_ids: NDArray[np.int64], *, column: Column, mask: Mask, label: str, keys: ColumnKeys
) -> Iterator[pa.Array]:
    """The stored columns of one personal column."""
    masked = mask(values, key=keys.ff1, column=label)
    yield pgp.encrypt(masked, row_ids=row_ids, key=keys.pgp)
    if column.digest:
        yield keyed_digests(masked, key=keys.digest)


def _around_nulls(
    values: pa.Array,
    row_ids: NDArray[np.int64],
    protect: Callable[[pa.Array, NDArray[np.int64]], Iterator[pa.Array]],
) -> Iterator[pa.Array]:
    """Protect the values that are there, and leave the nulls where they were."""
    if not values.null_count:
        yield from protect(values, row_ids)
        return
    present = values.is_valid().to_numpy(zero_copy_only=False)
    places = pa.array(np.cumsum(present) - 1, mask=~present)
    for stored in protect(values.drop_null(), row_ids[present]):
        yield stored.take(places)
