"""Binary COPY of one record batch into one build table.

Arrow goes to PostgreSQL's binary format without a Python object for each value. The engine itself refuses a row of
another tenant, by the build table's CHECK.
"""

import pgpq
import pyarrow as pa
from psycopg import sql

from seed_pipelines.errors import RowsLost
from seed_pipelines.outside.postgres import Connection

BUILD_SCHEMA = "seed_build"
_CHUNK_BYTES = 1 << 20
# About a megabyte: what is encoded piece by piece stays in the processor's cache.
_PIECE_ROWS = 4_096


def encoded(rows: pa.RecordBatch) -> tuple[bytes, ...]:
    """The batch as a binary COPY stream, in pieces that are not copied together."""
    encoder = pgpq.ArrowToPostgresBinaryEncoder(rows.schema)
    pieces = (rows.slice(start, _PIECE_ROWS) for start in range(0, rows.num_rows, _PIECE_ROWS))
    return encoder.write_header(), *map(encoder.write_batch, pieces), encoder.finish()


def copy_rows(connection: Connection, table: str, rows: pa.RecordBatch) -> None:
    """COPY into `seed_build.<table>`, in the caller's transaction; raises RowsLost."""
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(
        sql.Identifier(BUILD_SCHEMA, table), sql.SQL(", ").join(map(sql.Identifier, rows.schema.names))
    )
    pieces = encoded(rows)
    with connection.cursor() as cursor:
        with cursor.copy(statement) as copy:
            for piece in pieces:
                for start in range(0, len(piece), _CHUNK_BYTES):
                    copy.write(memoryview(piece)[start : start + _CHUNK_BYTES])
        if cursor.rowcount != rows.num_rows:
            raise RowsLost(table, sent=rows.num_rows, stored=cursor.rowcount)
