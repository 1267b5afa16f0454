"""Resume tokens: what a checkpoint says, encrypted with a key of the tenant's, so that it cannot be changed or moved.

A token is an OpenPGP message (`pgp_sym_decrypt` of pgcrypto opens it) made by the worker that wrote the batch; the key
never reaches the database. It is bound to tenant, environment, seed run, manifest and fence. Whoever goes on opens the
tokens of the batches that are in; one that says something else, or that another key made, ends the seed run.
"""

import json
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from seed_pipelines.control.checkpoints import Checkpoint
from seed_pipelines.control.lease import Lease
from seed_pipelines.control.runs import SeedRun
from seed_pipelines.errors import CheckpointDiverged, MessageNotOurs
from seed_pipelines.mask.keys import FieldKeys
from seed_pipelines.mask.pgp import PgpKey, decrypt, encrypt
from seed_pipelines.plan import Batch

Fact = str | int


def token_of(keys: FieldKeys, run: SeedRun, lease: Lease, batch: Batch, *, digest: str) -> bytes:
    """The token of a batch that is about to be written."""
    facts = (lease.fence, batch.entity, batch.shard, batch.number, batch.first_row, batch.rows, digest)
    message = encrypt(pa.array([_text(run, facts)]), row_ids=np.zeros(1, dtype=np.int64), key=_key(keys))
    token: bytes = message[0].as_py()
    return token


def assert_bound(keys: FieldKeys, run: SeedRun, done: Sequence[Checkpoint], *, entity: str, shard: str) -> None:
    """Every token says what its checkpoint says; raises CheckpointDiverged."""
    key = _key(keys)
    for checkpoint in done:
        facts = (
            checkpoint.fence,
            entity,
            shard,
            checkpoint.number,
            checkpoint.first_row,
            checkpoint.rows,
            checkpoint.content_digest,
        )
        if _opened(checkpoint.resume_token, key) != _text(run, facts):
            raise CheckpointDiverged(entity, shard=shard, number=checkpoint.number, path=run.manifest_path)


def _opened(token: bytes, key: PgpKey) -> str | None:
    try:
        text: str = decrypt(pa.array([token], type=pa.binary()), key=key)[0].as_py()
    except MessageNotOurs:
        return None
    return text


def _text(run: SeedRun, facts: tuple[Fact, ...]) -> str:
    bound: list[Fact] = [run.environment, run.tenant, run.id.hex, run.manifest_hash, *facts]
    return json.dumps(bound, separators=(",", ":"))


def _key(keys: FieldKeys) -> PgpKey:
    return keys.column("checkpoint", "resume_token").pgp
