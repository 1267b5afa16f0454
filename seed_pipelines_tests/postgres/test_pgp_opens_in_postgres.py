"""What was encrypted here opens with pgcrypto and the passphrase, and with nothing else."""

import numpy as np
import psycopg
import pyarrow as pa
import pytest

from seed_pipelines.mask.keys import FieldKeys
from seed_pipelines.mask.pgp import encrypt

TEXTS = [
    "52998224725",
    "Conceição Araújo D'Ávila",
    "maria.souza.k3j9x2@example.com",
    "+5511987654321",
    "",
    "x" * 143,
    "y" * 9_000,
]


@pytest.fixture
def key():
    with FieldKeys(bytes(range(32)), environment="dev", tenant="acme") as keys:
        yield keys.column("customers", "name").pgp


@pytest.fixture
def connection(empty_database):
    with psycopg.connect(empty_database.superuser_dsn, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION pgcrypto")
        yield connection


@pytest.mark.parametrize("text", TEXTS, ids=len)
def test_pgcrypto_opens_a_message(connection, key, text):
    message = encrypt(pa.array([text]), row_ids=np.array([7]), key=key)[0].as_py()
    opened = connection.execute("SELECT pgp_sym_decrypt(%s, %s)", (message, key.passphrase)).fetchone()[0]
    assert opened == text


def test_pgcrypto_opens_a_whole_column(connection, key):
    texts = [f"Person {row} of {'x' * (row % 40)}" for row in range(2_000)]
    messages = encrypt(pa.array(texts), row_ids=np.arange(2_000), key=key).to_pylist()
    opened = connection.execute(
        "SELECT array_agg(pgp_sym_decrypt(message, %s) ORDER BY place) FROM unnest(%s::bytea[]) "
        "WITH ORDINALITY AS sent (message, place)",
        (key.passphrase, messages),
    ).fetchone()[0]
    assert opened == texts


@pytest.mark.parametrize("fault", ["other passphrase", "changed byte"])
def test_pgcrypto_refuses_another_passphrase_and_a_changed_message(connection, key, fault):
    message = bytearray(encrypt(pa.array(["52998224725"]), row_ids=np.array([7]), key=key)[0].as_py())
    passphrase = key.passphrase
    if fault == "changed byte":
        message[40] ^= 1
    else:
        passphrase = "0" * 64
    with pytest.raises(psycopg.errors.ExternalRoutineInvocationException, match="Wrong key or corrupt data"):
        connection.execute("SELECT pgp_sym_decrypt(%s, %s)", (bytes(message), passphrase))
