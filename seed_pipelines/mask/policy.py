"""From generated rows to stored rows: every personal column is masked, and encrypted and digested where that is said.

Most columns are masked alone; `JOINT_MASKS` are for those that have to be permuted together.

Plain rows come in with an entity's columns; what goes out has its stored columns, in order, and no masked text.
Other columns pass untouched. The same rows and keys give the same bytes. A value that a policy has no rule for is
refused, never passed on.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from seed_pipelines.catalog import Entity, Pii
from seed_pipelines.mask import pgp
from seed_pipelines.mask.addresses import mask_complements, mask_streets
from seed_pipelines.mask.bank_accounts import mask_bank_accounts
from seed_pipelines.mask.by_length import with_nulls
from seed_pipelines.mask.company_names import (
    CompanyTables,
    mask_company_names,
    mask_mixed_names,
    vendored_company_names,
)
from seed_pipelines.mask.contracts import mask_contract_numbers
from seed_pipelines.mask.digests import keyed_digests
from seed_pipelines.mask.documents import mask_documents
from seed_pipelines.mask.emails import mask_emails
from seed_pipelines.mask.keys import ColumnKeys, FieldKeys
from seed_pipelines.mask.names import NameTables, vendored_names
from seed_pipelines.mask.phones import mask_phones
from seed_pipelines.mask.pix import mask_pix_keys, mask_pix_references


class Mask(Protocol):
    """Masks a text column without nulls; `column` is what refusals name."""

    def __call__(self, values: pa.Array, *, key: bytes, column: str) -> pa.Array: ...


class JointMask(Protocol):
    """Masks the columns of one kind together; may read the other columns of the rows."""

    def __call__(
        self, rows: pa.RecordBatch, columns: Sequence[str], *, keys: FieldKeys, entity: str
    ) -> Mapping[str, pa.Array]: ...


def masks(names: NameTables, companies: CompanyTables | None = None) -> Mapping[Pii, Mask]:
    """The mask of each kind of column that is masked alone; the generator's company names if none are given."""
    companies = companies or vendored_company_names()
    return {
        Pii.DOCUMENT: mask_documents,
        Pii.NAME: partial(mask_mixed_names, people=names, companies=companies),
        Pii.COMPANY_NAME: partial(mask_company_names, tables=companies),
        Pii.EMAIL: mask_emails,
        Pii.PHONE: mask_phones,
        Pii.COMPLEMENT: mask_complements,
        Pii.PIX_REFERENCE: mask_pix_references,
        Pii.CONTRACT_NUMBER: mask_contract_numbers,
    }


# Kinds whose columns are masked together, or by what other columns say.
JOINT_MASKS: Mapping[Pii, JointMask] = MappingProxyType(
    {Pii.STREET: mask_streets, Pii.BANK_ACCOUNT: mask_bank_accounts, Pii.PIX_KEY: mask_pix_keys}
)


def mask_batch(
    entity: Entity, batch: pa.RecordBatch, keys: FieldKeys, *, names: NameTables | None = None
) -> pa.RecordBatch:
    """The stored rows of generated rows; raises NotMaskable or SmallDomain. The generator's names if none are given."""
    if not entity.masked_columns:
        return batch.select([column.name for column in entity.columns])
    masked = _masked(entity, batch, keys, masks(names or vendored_names()))
    row_ids = batch.column("id").to_numpy()
    arrays: list[pa.Array] = []
    for column in entity.columns:
        if column.pii is None:
            arrays.append(batch.column(column.name))
        elif not column.is_encrypted:
            arrays.append(masked[column.name])
        else:
            column_keys = keys.column(entity.name, column.name)
            arrays.extend(_stored(masked[column.name], row_ids, keys=column_keys, has_digest=column.digest))
    return pa.RecordBatch.from_arrays(arrays, names=[column.name for column in entity.stored_columns])


def _masked(
    entity: Entity, batch: pa.RecordBatch, keys: FieldKeys, mask_of: Mapping[Pii, Mask]
) -> Mapping[str, pa.Array]:
    """Every personal column, masked."""
    masked: dict[str, pa.Array] = {}
    for kind in dict.fromkeys(column.pii for column in entity.masked_columns if column.pii is not None):
        columns = [column.name for column in entity.masked_columns if column.pii is kind]
        joint = JOINT_MASKS.get(kind)
        if joint is not None:
            masked |= joint(batch, columns, keys=keys, entity=entity.name)
            continue
        for name in columns:
            mask = partial(mask_of[kind], key=keys.column(entity.name, name).ff1, column=f"{entity.name}.{name}")
            masked[name] = next(_beside_nulls(batch.column(name), partial(_alone, mask)))
    return masked


def _alone(mask: Callable[[pa.Array], pa.Array], values: pa.Array) -> Iterable[pa.Array]:
    return (mask(values),)


def _stored(values: pa.Array, row_ids: NDArray[np.int64], *, keys: ColumnKeys, has_digest: bool) -> Iterable[pa.Array]:
    """A masked column as it is stored: encrypted, and digested where that is asked for."""
    present = row_ids[values.is_valid().to_numpy(zero_copy_only=False)] if values.null_count else row_ids

    def protected(masked: pa.Array) -> Iterator[pa.Array]:
        yield pgp.encrypt(masked, row_ids=present, key=keys.pgp)
        if has_digest:
            yield keyed_digests(masked, key=keys.digest)

    return _beside_nulls(values, protected)


def _beside_nulls(values: pa.Array, made: Callable[[pa.Array], Iterable[pa.Array]]) -> Iterator[pa.Array]:
    """What is made of the values that are there; nulls stay where they are."""
    if not values.null_count:
        yield from made(values)
        return
    present = values.is_valid().to_numpy(zero_copy_only=False)
    for column in made(values.drop_null()):
        yield with_nulls(column, present)
