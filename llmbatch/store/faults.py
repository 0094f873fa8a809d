"""DuckDB's errors in our terms: what happened, what is safe, what to do next.

DuckDB has no class for damage, for a lock or for a full disk, and changes the one that it uses: a
wrong checksum is an IOException in 1.5 and a bare Error in 2.0. So what the system tells counts
first (who holds a lock, the text of an error number, the file's own mark), then a class, then
words that tests hold on both ends of the supported range. What is not known is never called
damage: nothing is put aside for it.
"""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from llmbatch.core.errors import LlmbatchError, LockedError, StoreError, UnwrittenError
from llmbatch.store import journal, lock
from llmbatch.store.journal import DamagedError

# A signal handler that raises while DuckDB works comes out of it as a RuntimeError.
_INTERRUPTED = "Query interrupted"
_DAMAGED = (
    "Could not read enough bytes",
    "Could not read all",
    "Corrupt",
    "does not match stored checksum",
    "replaying WAL",
    "not a valid DuckDB database file",
)
_LOCKED = ("onflicting lock", "Could not set lock")
_HELD = re.compile(r"\(PID (\d+)\)")
_FULL = (errno.ENOSPC, errno.EFBIG, errno.EDQUOT)
# Of the machine, not of the file: it may be as whole as ever.
_MACHINE = (
    errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM,
    errno.ESTALE, errno.ENOLCK,
)  # fmt: skip
_MARK, _MARK_AT = b"DUCK", 8


@contextmanager
def reported(path: Path) -> Iterator[None]:
    """Failures of the machine (full disk, no memory) in one line; our own mistakes as they are."""
    try:
        yield
    except duckdb.Error as error:
        raise _met(path, error) from error
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
        raise _unopened(path, error) from error
    except RuntimeError as error:
        if _INTERRUPTED in str(error):
            raise KeyboardInterrupt from error
        raise


def _met(path: Path, error: duckdb.Error) -> Exception:
    """What an error of a statement means."""
    said = _said(path, error)
    if _is_damage(error, said):
        return DamagedError(f"{path}: the store is damaged: {line(error)}{advice(path)}")
    if not isinstance(
        error, duckdb.OperationalError | duckdb.FatalException | duckdb.InternalException
    ):
        return error
    known = _tells(said, (*_FULL, *_MACHINE)) or isinstance(error, duckdb.OutOfMemoryException)
    again = "" if known else f"; if it says the same again: llmbatch repair {path.parent}"
    return UnwrittenError(
        f"{path}: the store cannot be read or written: {line(error)}; what was committed is "
        f"safe, run the same command again{again}"
    )


def _unopened(path: Path, error: duckdb.Error) -> LlmbatchError:
    """What an error of opening the store means."""
    said = _said(path, error)
    if _is_damage(error, said):
        return DamagedError(f"{path}: the store cannot be opened: {line(error)}{advice(path)}")
    told = _HELD.search(said)
    holder = int(told[1]) if told else lock.other_holder(path)
    if holder or any(words in said for words in _LOCKED):
        pid = f" (pid {holder})" if holder else ""
        return LockedError(
            f"{path}: another process has the store open{pid}: a run, or a command that reads "
            "it; wait for it"
        )
    if _tells(said, _FULL):
        return UnwrittenError(
            f"{path}: cannot be created: {line(error)}; run the same command again"
        )
    if not _tells(said, _MACHINE) and _is_foreign(path):
        return DamagedError(f"{path}: the store cannot be opened: {line(error)}{advice(path)}")
    return StoreError(
        f"{path}: the store cannot be opened: {line(error)}; nothing was changed, try it again. "
        "Should it stay so, move it away: what its journal holds is put into a new one"
    )


def _said(path: Path, error: duckdb.Error) -> str:
    """What DuckDB says, without the path: that may hold any words."""
    text = str(error)
    for name in (path.resolve(), path.absolute(), path):
        text = text.replace(str(name), "the store")
    return text


def _is_damage(error: duckdb.Error, said: str) -> bool:
    """Whether DuckDB has met content that cannot be right."""
    if _tells(said, (*_FULL, *_MACHINE)) or any(words in said for words in _LOCKED):
        return False
    if type(error) is duckdb.Error or isinstance(error, duckdb.SerializationException):
        return True
    return isinstance(
        error, duckdb.OperationalError | duckdb.FatalException | duckdb.InternalException
    ) and any(words in said for words in _DAMAGED)


def _tells(said: str, numbers: tuple[int, ...]) -> bool:
    """Whether an error passes on what the system said of one of these error numbers."""
    return any(os.strerror(number) in said for number in numbers)


def _is_foreign(path: Path) -> bool:
    """Whether the file is none of DuckDB's. Only asked when DuckDB does not have it open: closing
    a file drops the locks that this process has on it."""
    try:
        with path.open("rb") as stream:
            return stream.read(_MARK_AT + len(_MARK))[_MARK_AT:] != _MARK
    except OSError:
        return False


_NOT_UNDERSTOOD = (LookupError, TypeError, AttributeError, ValueError)


@contextmanager
def understood(path: Path) -> Iterator[None]:
    """Values in the store at `path` that are not what this version writes there."""
    try:
        yield
    except (*_NOT_UNDERSTOOD, duckdb.DataError, duckdb.InvalidInputException) as error:
        raise StoreError(
            f"{path}: holds something that this llmbatch does not understand "
            f"({type(error).__name__}: {line(error)}); nothing was changed. Use the version that "
            "wrote it, or a newer one"
        ) from error


@contextmanager
def known(path: Path) -> Iterator[None]:
    """Records of the journal at `path` that this version has no place for."""
    try:
        yield
    except (duckdb.BinderException, duckdb.CatalogException) as error:
        raise StoreError(
            f"{path}: was written by a newer llmbatch ({line(error)}); upgrade llmbatch"
        ) from error


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
    if journal.path_for(path).exists():
        return f"; its journal holds the answers: llmbatch repair {path.parent}"
    if _is_foreign(path):
        return "; it has no journal to repair it from: run the job with --fresh to start anew"
    return (
        f"; it has no journal: to save what can be read, llmbatch repair {path.parent}; to start "
        "anew, run the job with --fresh"
    )


def line(error: BaseException) -> str:
    """The error's text in one line."""
    return " ".join(str(error).split())[:300]
