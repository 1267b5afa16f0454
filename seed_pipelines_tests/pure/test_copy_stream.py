"""The binary COPY stream of a batch."""

import pgpq
import pyarrow as pa
import pytest

from seed_pipelines.load.copy import encoded


@pytest.mark.parametrize("rows", [0, 1, 4_095, 4_096, 4_097, 10_000])
def test_the_pieces_are_the_stream_of_the_whole_batch(rows):
    batch = pa.RecordBatch.from_pydict(
        {"id": pa.array(range(rows), pa.int64()), "text": pa.array([f"{row}" for row in range(rows)], pa.string())}
    )
    encoder = pgpq.ArrowToPostgresBinaryEncoder(batch.schema)
    whole = encoder.write_header() + encoder.write_batch(batch) + encoder.finish()
    assert b"".join(encoded(batch)) == whole
