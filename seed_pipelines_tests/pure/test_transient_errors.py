"""Which errors of the database may pass by themselves, by SQLSTATE: those are tried again, and no others."""

import psycopg
import pytest
from psycopg import errors

from seed_pipelines.errors import DatabaseRefused, DatabaseUnavailable
from seed_pipelines.outside.postgres import translated


@pytest.mark.parametrize(
    "sqlstate",
    [
        *("08000", "08003", "08006", "53100", "53200", "53300", "57014", "57P01", "57P02", "57P03", "58030"),
        *("40001", "40P01", "55P03", "25P03"),
    ],
)
def test_lost_connections_scarce_resources_shutdowns_and_conflicts_are_tried_again(sqlstate):
    with pytest.raises(DatabaseUnavailable) as caught, translated():
        raise errors.lookup(sqlstate)
    assert (caught.value.retryable, caught.value.sqlstate) == (True, sqlstate)


def test_a_connection_that_broke_without_a_word_is_tried_again():
    with pytest.raises(DatabaseUnavailable) as caught, translated():
        raise psycopg.OperationalError("the connection is lost")
    assert caught.value.retryable


@pytest.mark.parametrize("sqlstate", ["22P02", "23502", "23503", "23505", "23514", "42501", "42P01", "0A000", "XX000"])
def test_what_would_fail_again_is_not_tried_again(sqlstate):
    with pytest.raises(DatabaseRefused) as caught, translated():
        raise errors.lookup(sqlstate)
    assert (caught.value.retryable, caught.value.sqlstate) == (False, sqlstate)
