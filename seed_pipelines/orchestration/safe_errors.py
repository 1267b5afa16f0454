"""Errors that may be shown: Dagster stores an exception's text in its event log, and a foreign one may quote a row."""

from types import TracebackType

from seed_pipelines.errors import SeedError, Unexpected


def shown(error: Exception) -> SeedError:
    """Ours as it is; any other as its class, its SQLSTATE and the line that raised it, without its text."""
    if isinstance(error, SeedError):
        return error
    return Unexpected(type(error).__name__, place=_place_of(error.__traceback__), sqlstate=_sqlstate_of(error))


def _sqlstate_of(error: Exception) -> str | None:
    state = getattr(error, "sqlstate", None)
    return state if isinstance(state, str) else None


def _place_of(traceback: TracebackType | None) -> str:
    """Module and line, innermost: enough to find the fault, and nothing that a value could be part of."""
    if traceback is None:
        return "an unknown place"
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    return f"{traceback.tb_frame.f_globals.get('__name__', '?')}:{traceback.tb_lineno}"
