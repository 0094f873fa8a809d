"""Connections of DuckDB to the file of a store, and to nothing else.

An instance of DuckDB takes as long to make as twenty queries, so one serves the file of a new store
until it has its name, and the store after that; and, within `kept`, the next opening of a store.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from llmbatch.store import faults

# The group size is not kept in the file, so it is given at every open: small row groups keep
# DuckDB's own checkpoints short. The storage version lets DuckDB 1.5 read what 2.0 wrote.
_ATTACH = "ATTACH {path} AS job (STORAGE_VERSION 'v1.5.0', ROW_GROUP_SIZE 8192{mode}); USE job;"
_DETACH = "USE memory; DETACH job;"
_SETTINGS = (
    "SET autoinstall_known_extensions = false; SET autoload_known_extensions = false;"
    "SET preserve_insertion_order = true; SET checkpoint_threshold = '64MB';"
    "SET enable_progress_bar = false;"
    # The engine needs the memory more than the store does; the rest is spilled. Each thread has
    # buffers of its own, so there are few.
    "SET memory_limit = '380MB'; SET threads = 2;"
)
# The content of a store is data that may come from others: no statement reads or writes other files
# than its own, and those of the stores in the folder `beside`, which can be attached.
_PLACES = (
    "SET temp_directory = {temporary}; SET allowed_paths = [{own}];"
    "SET allowed_directories = [{beside}]; SET enable_external_access = false;"
    "SET lock_configuration = true;"
)
# A store's file and the write-ahead logs beside it.
LOGS = (".wal", ".wal.checkpoint", ".wal.recovery")
# A new store until it is whole.
DRAFT = ".new"
# A copy of a store beside it, and its name until it is whole (see live_copy).
COPY = "copy.duckdb"
COPY_DRAFT = "copy.duckdb.new"


class Instance:
    """An instance of DuckDB that may open the files of the store at `path`, and those of the stores
    in the folder `beside`, and has opened none. `connection`: the one to work with."""

    def __init__(self, path: Path, beside: Path | None) -> None:
        self._serves = path, beside
        self._root = duckdb.connect(":memory:")
        try:
            with faults.openable(path):
                self._root.execute(_SETTINGS + _places(path, beside))
            self.connection = self._root.cursor()
        except BaseException:
            self.close()
            raise

    def serves(self, path: Path, beside: Path | None) -> bool:
        """True if it may open the same files."""
        return self._serves == (path, beside)

    def attach(self, path: Path, *, read_only: bool) -> None:
        """Open the store at `path` under the name `job`."""
        with faults.openable(path):
            mode = ", READ_ONLY" if read_only else ""
            self.connection.execute(_ATTACH.format(path=quoted(path), mode=mode))

    def detach(self) -> None:
        """Close the store, with all in its file."""
        self.connection.execute(_DETACH)

    def renew(self) -> None:
        """Close the store, and forget all that is temporary."""
        self.detach()
        self.connection.close()
        self.connection = self._root.cursor()

    def close(self) -> None:
        """Close all connections, and with them the store."""
        self._root.close()


class _Spare:
    """The instance that the last opening of a store has left for the next one."""

    def __init__(self) -> None:
        self.is_kept = False
        self._instance: Instance | None = None

    def keep(self, instance: Instance) -> None:
        self.close()
        self._instance = instance

    def take(self, path: Path, beside: Path | None) -> Instance | None:
        found = self._instance
        if found is None or not found.serves(path, beside):
            return None
        self._instance = None
        return found

    def close(self) -> None:
        if self._instance is not None:
            self._instance.close()
        self._instance = None


_SPARE = _Spare()


@contextmanager
def kept() -> Iterator[None]:
    """Let a store that is closed here leave its instance to the next opening of the same one. It
    keeps two threads, but no file open."""
    before, _SPARE.is_kept = _SPARE.is_kept, True
    try:
        yield
    finally:
        _SPARE.is_kept = before
        if not before:
            _SPARE.close()


def instance(path: Path, beside: Path | None = None) -> Instance:
    """One that has no store open."""
    return _SPARE.take(path, beside) or Instance(path, beside)


def give_back(used: Instance) -> None:
    """Close the store of an instance that nothing went wrong with."""
    if not _SPARE.is_kept:
        used.close()
        return
    try:
        used.renew()
    except duckdb.Error:
        used.close()
    else:
        _SPARE.keep(used)


def _places(path: Path, beside: Path | None) -> str:
    """The statement that says which files may be opened."""
    names = (path, path.with_name(path.name + DRAFT), path.with_name(COPY_DRAFT))
    own = [_quoted(f"{_absolute(name)}{end}") for name in names for end in ("", *LOGS)]
    return _PLACES.format(
        temporary=_quoted(str(path.parent / "tmp")),
        own=", ".join(own),
        beside="" if beside is None else quoted(beside),
    )


def _absolute(path: Path) -> str:
    """The path as DuckDB compares it with those that are allowed."""
    return os.path.realpath(path)


def quoted(path: Path) -> str:
    """The path as a text of SQL."""
    return _quoted(_absolute(path))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
