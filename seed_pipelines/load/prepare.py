"""Prepare: one batch generated, held against the official calculation, and masked; the next one in the background.

No database, no clock but for the time it took, the same rows whoever does it.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pyarrow as pa

from seed_pipelines import catalog
from seed_pipelines.errors import OracleDisagrees
from seed_pipelines.generate.digest import ContentDigest, digest_of
from seed_pipelines.generate.oracle import OURS, Oracle, OracleSample, compare_with_oracle
from seed_pipelines.generate.rows import generate
from seed_pipelines.mask.keys import FieldKeys
from seed_pipelines.mask.policy import mask_batch
from seed_pipelines.plan import Batch, Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A batch ready to be written; the digest is of its rows before masking."""

    rows: pa.RecordBatch
    digest: ContentDigest
    oracle: OracleSample
    seconds: float


def prepare(plan: Plan, batch: Batch, keys: FieldKeys, *, oracle: Oracle = OURS) -> Prepared:
    """Generate, check and mask one batch; raises OracleDisagrees."""
    started = time.perf_counter()
    rows = generate(plan, batch.entity, first_row=batch.first_row, rows=batch.rows)
    compared = compare_with_oracle(plan, batch.entity, first_row=batch.first_row, rows=rows, oracle=oracle)
    if compared.differing:
        raise OracleDisagrees(batch.entity, indexes=compared.differing)
    masked = mask_batch(catalog.ENTITIES[batch.entity], rows, keys)
    digest = digest_of(rows, first_row=batch.first_row)
    return Prepared(rows=masked, digest=digest, oracle=compared, seconds=time.perf_counter() - started)


def one_ahead(batches: Iterable[Batch], make: Callable[[Batch], Prepared]) -> Iterator[tuple[Batch, Prepared]]:
    """Each batch with its rows; the next one is made while the server takes this one in."""
    with ThreadPoolExecutor(max_workers=1) as background:
        waiting = None
        for batch in batches:
            ready, waiting = waiting, (batch, background.submit(make, batch))
            if ready is not None:
                yield ready[0], ready[1].result()
        if waiting is not None:
            yield waiting[0], waiting[1].result()
