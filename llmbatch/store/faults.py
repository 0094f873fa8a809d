"""DuckDB's errors as those of llmbatch: the fault, what is safe, what to do next.

DuckDB has no class for damage, for a lock or for a full disk, and changes the one that it uses: a
wrong checksum is an IOException in 1.5 and a bare Error in 2.0. So the system's own facts count
first (the holder of a lock, the text of an error number, the mark of the file), then a class, then
words, which tests check at both ends of the supported range of versions. An unknown error is never
called damage: nothing is put aside for it.
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

# DuckDB turns an exception of a signal handler into a RuntimeError.
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
# Faults of the machine: the file itself may be whole.
_MACHINE = (
    errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM,
    errno.ESTALE, errno.ENOLCK,
)  # fmt: skip
_MARK, _MARK_AT = b"DUCK", 8


@contextmanager
def reported(path: Path) -> Iterator[None]:
    """Turn failures of the machine (full disk, no memory) into errors of one line; bugs stay as
    they are."""
    try:
        yield
    except duckdb.Error as error:
        raise _statement_error(path, error) from error
    except RuntimeError as error:
        if _INTERRUPTED in str(error):
            raise KeyboardInterrupt from error
        raise


@contextmanager
def openable(path: Path) -> Iterator[None]:
    """Turn failures to open the store at `path` into errors of one line."""
    try:
        yield
    except duckdb.Error as error:
        raise _opening_error(path, error) from error
    except RuntimeError as error:
        if _INTERRUPTED in str(error):
            raise KeyboardInterrupt from error
        raise


def _statement_error(path: Path, error: duckdb.Error) -> Exception:
    """The error to raise for one of a statement."""
    text = _text_without_path(path, error)
    if _is_damage(error, text):
        return DamagedError(f"{path}: the store is damaged: {line(error)}{advice(path)}")
    if not isinstance(
        error, duckdb.OperationalError | duckdb.FatalException | duckdb.InternalException
    ):
        return error
    known = _names_error(text, (*_FULL, *_MACHINE)) or isinstance(
        error, duckdb.OutOfMemoryException
    )
    again = "" if known else f"; if it says the same again: llmbatch repair {path.parent}"
    return UnwrittenError(
        f"{path}: the store cannot be read or written: {line(error)}; what was committed is "
        f"safe, run the same command again{again}"
    )


def _opening_error(path: Path, error: duckdb.Error) -> LlmbatchError:
    """The error to raise for one of opening the store."""
    text = _text_without_path(path, error)
    if _is_damage(error, text):
        return DamagedError(f"{path}: the store cannot be opened: {line(error)}{advice(path)}")
    named = _HELD.search(text)
    holder = int(named[1]) if named else lock.other_holder(path)
    if holder or any(words in text for words in _LOCKED):
        pid = f" (pid {holder})" if holder else ""
        return LockedError(
            f"{path}: another process has the store open{pid}: a run, or a command that reads "
            "it; wait for it"
        )
    if _names_error(text, _FULL):
        return UnwrittenError(
            f"{path}: cannot be created: {line(error)}; run the same command again"
        )
    if not _names_error(text, _MACHINE) and _is_foreign(path):
        return DamagedError(f"{path}: the store cannot be opened: {line(error)}{advice(path)}")
    return StoreError(
        f"{path}: the store cannot be opened: {line(error)}; nothing was changed, try it again. "
        "Should it stay so, move it away: what its journal holds is put into a new one"
    )


def _text_without_path(path: Path, error: duckdb.Error) -> str:
    """The text of an error without the path, which may hold any words."""
    text = str(error)
    for name in (path.resolve(), path.absolute(), path):
        text = text.replace(str(name), "the store")
    return text


def _is_damage(error: duckdb.Error, text: str) -> bool:
    """True if DuckDB has read content that cannot be right."""
    if _names_error(text, (*_FULL, *_MACHINE)) or any(words in text for words in _LOCKED):
        return False
    if type(error) is duckdb.Error or isinstance(error, duckdb.SerializationException):
        return True
    return isinstance(
        error, duckdb.OperationalError | duckdb.FatalException | duckdb.InternalException
    ) and any(words in text for words in _DAMAGED)


def _names_error(text: str, numbers: tuple[int, ...]) -> bool:
    """True if the text holds the system's own text for one of these error numbers."""
    return any(os.strerror(number) in text for number in numbers)


def _is_foreign(path: Path) -> bool:
    """True if the file is not one of DuckDB's. Call it only when DuckDB does not have it open:
    closing a file drops the locks that this process has on it."""
    try:
        with path.open("rb") as stream:
            return stream.read(_MARK_AT + len(_MARK))[_MARK_AT:] != _MARK
    except OSError:
        return False


_NOT_UNDERSTOOD = (LookupError, TypeError, AttributeError, ValueError)


@contextmanager
def understood(path: Path) -> Iterator[None]:
    """Turn errors about values in the store at `path`, which another version may have written, into
    a StoreError."""
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
    """Turn errors about records of the journal at `path` that have no table into a StoreError."""
    try:
        yield
    except (duckdb.BinderException, duckdb.CatalogException) as error:
        raise StoreError(
            f"{path}: was written by a newer llmbatch ({line(error)}); upgrade llmbatch"
        ) from error


@contextmanager
def creatable(path: Path) -> Iterator[None]:
    """Turn failures of the file system to make the store at `path` into an UnwrittenError."""
    try:
        yield
    except OSError as error:
        raise UnwrittenError(
            f"{path}: cannot be created: {error.strerror}; run the same command again"
        ) from error


def missing(path: Path) -> StoreError:
    """The error for a store that is not there."""
    if journal.path_for(path).exists():
        return DamagedError(f"{path}: the store is gone{advice(path)}")
    return StoreError(f"{path}: there is no store; run the job first")


def advice(path: Path) -> str:
    """The advice about a store that cannot be used any more."""
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
