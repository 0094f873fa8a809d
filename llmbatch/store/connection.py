"""Connections of DuckDB to the file of a store, and to nothing else."""

import os
from pathlib import Path

import duckdb

from llmbatch.store import faults

# The group size is not kept in the file, so it is given at every open: small row groups keep
# DuckDB's own checkpoints short. The storage version lets DuckDB 1.5 read what 2.0 wrote.
_ATTACH = "ATTACH {path} AS job (STORAGE_VERSION 'v1.5.0', ROW_GROUP_SIZE 8192{mode}); USE job;"
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
_CLOSE = "SET enable_external_access = false;"
_LOCK = "SET lock_configuration = true;"
# A store's file and the write-ahead logs beside it.
LOGS = (".wal", ".wal.checkpoint", ".wal.recovery")
# A copy of a store beside it, and its name until it is whole (see live_copy).
COPY = "copy.duckdb"
COPY_DRAFT = "copy.duckdb.new"


def attach(path: Path, *, read_only: bool, beside: Path | None = None) -> duckdb.DuckDBPyConnection:
    """A connection with the store at `path` under the name `job`; stores in the folder `beside` can
    be attached, too."""
    connection = duckdb.connect(":memory:")
    mode = ", READ_ONLY" if read_only else ""
    try:
        with faults.openable(path):
            connection.execute(_SETTINGS)
            connection.execute("SET temp_directory = ?", [str(path.parent / "tmp")])
            copy = path.with_name(COPY_DRAFT)
            own = [f"{_absolute(name)}{end}" for name in (path, copy) for end in ("", *LOGS)]
            connection.execute("SET allowed_paths = ?", [own])
            if beside is not None:
                connection.execute("SET allowed_directories = ?", [[_absolute(beside)]])
            connection.execute(_CLOSE)
            connection.execute(_ATTACH.format(path=quoted(path), mode=mode))
            connection.execute(_LOCK)
    except BaseException:
        connection.close()
        raise
    return connection


def _absolute(path: Path) -> str:
    """The path as DuckDB compares it with those that are allowed."""
    return os.path.realpath(path)


def quoted(path: Path) -> str:
    return "'" + _absolute(path).replace("'", "''") + "'"
