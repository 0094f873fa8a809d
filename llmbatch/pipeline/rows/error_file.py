"""The error file of a job: its failed and rejected rows, with the reasons."""

import heapq
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from llmbatch.core import exact_json, files
from llmbatch.core.errors import InvariantError
from llmbatch.core.records import Reject
from llmbatch.pipeline.rows import batch_output
from llmbatch.pipeline.rows.columns import USAGE
from llmbatch.pipeline.rows.row_errors import error_of
from llmbatch.store import results, snapshots
from llmbatch.store.database import Database

# A record with the number of its file in the input, and of its line there.
_Placed = tuple[tuple[int, int], str]


def write(
    db: Database,
    path: Path,
    expected: int,
    *,
    meta: bool,
    batch: bool = False,
    whole: Callable[[BinaryIO], None] = lambda draft: None,
) -> None:
    """Write the failed and rejected rows, by line; `batch`: in the shape of OpenAI's. No such rows:
    no such file, not even an old one. `whole` is told of the complete draft."""
    of_failed = batch_output.failed_record if batch else partial(_failed_record, meta=meta)
    of_rejected = batch_output.rejected_record if batch else _rejected_record
    rows = results.in_input_order(db, ["failed"]) if expected else iter(())
    failed = (((row["file"], row["line"]), of_failed(row)) for row in rows)
    files_read = _several_files(db)
    rejected = (
        ((reject.file, reject.line), of_rejected(reject, files_read))
        for reject in results.rejects(db)
    )
    lines = heapq.merge(failed, rejected, key=lambda item: item[0])
    first = next(lines, None)
    if first is None:
        files.remove(files.behind_link(path))
        return
    with files.atomic(files.behind_link(path)) as stream:
        written = 0
        for _, record in _chain(first, lines):
            stream.write(record.encode() + b"\n")
            written += 1
        check_count(path, written, expected)
        whole(stream)


def check_count(path: Path, written: int, expected: int) -> None:
    """Raise InvariantError, before a file gets its name, if it lacks records or has too many."""
    if written != expected:
        raise InvariantError(f"{path}: {written:,} records instead of {expected:,}; not written")


def _chain(first: _Placed, rest: Iterator[_Placed]) -> Iterator[_Placed]:
    yield first
    yield from rest


def _failed_record(row: Mapping[str, Any], *, meta: bool) -> str:
    error = error_of(row)
    assert error is not None, "the row has failed"
    if meta:
        error |= {name: row[name] for name in USAGE}
    data = row["data"]
    if "error" in exact_json.columns_of(data):
        # The row was fed back in with its former error: this one replaces it.
        record = exact_json.parse_record(data)
        del record["error"]
        data = exact_json.dump_record(record)
    return exact_json.splice(data, {"error": orjson.dumps(error).decode()})


def _several_files(db: Database) -> list[str]:
    """The names of the input's files, if there are several."""
    snapshot = snapshots.newest(db)
    names = snapshot.source.files if snapshot else []
    return names if len(names) > 1 else []


def _rejected_record(reject: Reject, files_read: list[str]) -> str:
    error = {"kind": "rejected", "message": reject.reason, "attempts": 0}
    place = {"file": files_read[reject.file]} if files_read else {}
    record = place | {"line": reject.line, "raw": reject.raw, "error": error}
    return orjson.dumps(record).decode()
