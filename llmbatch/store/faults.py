"""DuckDB's errors in our terms: what happened, what is safe, what to do next."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from llmbatch.core.errors import LockedError, StoreError, UnwrittenError
from llmbatch.store import journal
from llmbatch.store.journal import DamagedError

# A signal handler that raises while DuckDB works comes out of it as a RuntimeError.
_INTERRUPTED = "Query interrupted"
# DuckDB has no class of its own for a block that is cut short.
_CUT_SHORT = ("Could not read enough bytes", "Could not read all")
_HELD = re.compile(r"\(PID (\d+)\)")
_FULL = ("No space left on device", "File too large", "Disk quota exceeded")


@contextmanager
def reported(path: Path) -> Iterator[None]:
    """Failures of the machine (full disk, no memory) in one line; our own mistakes as they are."""
    try:
        yield
    except (duckdb.OperationalError, duckdb.FatalException, duckdb.InternalException) as error:
        if any(mark in str(error) for mark in _CUT_SHORT):
            raise _damaged(path, error) from error
        raise UnwrittenError(
            f"{path}: the store cannot be read or written: {line(error)}; what was committed is "
            "safe, run the same command again"
        ) from error
    except duckdb.Error as error:
        # Nor one for a block whose checksum is wrong.
        if type(error) is not duckdb.Error:
            raise
        raise _damaged(path, error) from error
    except RuntimeError as error:
        if _INTERRUPTED in str(error):
            raise KeyboardInterrupt from error
        raise


@contextmanager
def openable(path: Path) -> Iterator[None]:
    """Failures to open the store at `path`."""
    try:
        yield
    except duckdb.Error as error:
        if "onflicting lock" in str(error):
            who = _HELD.search(str(error))
            pid = f" (pid {who[1]})" if who else ""
            raise LockedError(
                f"{path}: another process has the store open{pid}: a run, or a command that reads "
                "it; wait for it"
            ) from error
        if any(mark in str(error) for mark in _FULL):
            raise UnwrittenError(
                f"{path}: cannot be created: {line(error)}; run the same command again"
            ) from error
        raise DamagedError(
            f"{path}: the store cannot be opened: {line(error)}{advice(path)}"
        ) from error
    except RuntimeError as error:
        if _INTERRUPTED in str(error):
            raise KeyboardInterrupt from error
        raise


@contextmanager
def creatable(path: Path) -> Iterator[None]:
    """Failures of the file system to make the store at `path`."""
    try:
        yield
    except OSError as error:
        raise UnwrittenError(
            f"{path}: cannot be created: {error.strerror}; run the same command again"
        ) from error


def missing(path: Path) -> StoreError:
    """There is no store at `path`."""
    if journal.path_for(path).exists():
        return DamagedError(f"{path}: the store is gone{advice(path)}")
    return StoreError(f"{path}: there is no store; run the job first")


def advice(path: Path) -> str:
    """What to do about a store that cannot be used any more."""
    if not journal.path_for(path).exists():
        return "; it has no journal to repair it from: run the job with --fresh to start anew"
    return f"; its journal holds the answers: llmbatch repair {path.parent}"


def line(error: BaseException) -> str:
    """The error's text in one line."""
    return " ".join(str(error).split())[:300]


def _damaged(path: Path, error: duckdb.Error) -> DamagedError:
    return DamagedError(f"{path}: the store is damaged: {line(error)}{advice(path)}")
