"""From the store to the output files."""

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from llmbatch import formats
from llmbatch.core import exact_json, files
from llmbatch.core.errors import InvariantError, UnwrittenError
from llmbatch.core.records import Reject
from llmbatch.pipeline.rows.columns import USAGE, Layout
from llmbatch.pipeline.rows.output_file import OutputFile
from llmbatch.store import results, snapshots
from llmbatch.store.database import Database
from llmbatch.store.plans import SKIPPED
from llmbatch.store.results import Counts

# A record of the error file with the number of its file in the input, and of its line there.
_Placed = tuple[tuple[int, int], str]


def export(db: Database, output: OutputFile, counts: Counts) -> None:
    """Write the answers to the job's output, the failed and rejected rows to its error file.

    Both appear under their names only when they are whole, with as many rows as `counts` says.
    """
    export_answers(db, output, counts)
    with _reported(output.errors):
        _write_errors(db, output.errors, counts.failed + counts.rejected, meta=output.meta)


def export_answers(db: Database, output: OutputFile, counts: Counts) -> None:
    """Write only the output, and of a job that is not finished what it has."""
    with _reported(output.path):
        _write_answers(db, output, sum(getattr(counts, state) for state in output.states))


def _rows(db: Database, output: OutputFile) -> Iterator[Mapping[str, Any]]:
    """The rows to be written; of skipped ones alone with the reason in place of an answer."""
    rows = results.in_input_order(db, list(output.states))
    if output.states == (SKIPPED,):
        return (row | {"answer": row["message"]} for row in rows)
    return rows


@contextmanager
def _reported(output: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UnwrittenError(
            f"{output}: cannot be written: {error.strerror}; the answers are safe in the store, "
            "run the same command again"
        ) from error


def _write_answers(db: Database, output: OutputFile, expected: int) -> None:
    snapshot = snapshots.newest(db)
    columns = snapshot.source.columns if snapshot else []
    layout = Layout(output, columns)
    with files.atomic(output.path) as stream:
        rows = partial(_rows, db, output)
        written = write_rows(stream, output.format_name, columns, layout, rows)
        _check_count(output.path, written, expected)


def write_rows(
    stream: BinaryIO,
    format_name: str,
    columns: Sequence[str],
    layout: Layout,
    rows: Callable[[], Iterable[Mapping[str, Any]]],
) -> int:
    """Write `rows` (called again for each beginning), and return how many there are. What an answer
    holds is known only when it is written, so the first one that does not fit into the columns
    means to begin anew with wider ones, which seldom happens."""
    while True:
        written = 0
        try:
            with formats.open_writer(stream, format_name, columns, layout.columns) as writer:
                for row in rows():
                    writer.write(row["data"], layout.answer(row))
                    written += 1
            return written
        except formats.Misfit as misfit:
            narrow, layout = layout, layout.widened(misfit)
            if layout.columns == narrow.columns:
                raise InvariantError(f"{stream.name}: {misfit}; not written") from misfit
            stream.seek(0)
            stream.truncate()


def _check_count(path: Path, written: int, expected: int) -> None:
    if written != expected:
        raise InvariantError(f"{path}: {written:,} records instead of {expected:,}; not written")


def _write_errors(db: Database, path: Path, expected: int, *, meta: bool) -> None:
    """The failed and rejected rows, by line. No such rows: no such file, not even an old one."""
    rows = results.in_input_order(db, ["failed"]) if expected else iter(())
    failed = (((row["file"], row["line"]), _failed_record(row, meta=meta)) for row in rows)
    rejected = (
        ((reject.file, reject.line), _rejected_record(reject)) for reject in results.rejects(db)
    )
    lines = heapq.merge(failed, rejected, key=lambda item: item[0])
    first = next(lines, None)
    if first is None:
        files.remove(path)
        return
    with files.atomic(path) as stream:
        written = 0
        for _, record in _chain(first, lines):
            stream.write(record.encode() + b"\n")
            written += 1
        _check_count(path, written, expected)


def _chain(first: _Placed, rest: Iterator[_Placed]) -> Iterator[_Placed]:
    yield first
    yield from rest


def _failed_record(row: Mapping[str, Any], *, meta: bool) -> str:
    error = {
        "kind": row["kind"],
        "message": row["message"],
        "attempts": row["attempt"] or 0,
        "answer": row["answer"],
    }
    if meta:
        error |= {name: row[name] for name in USAGE}
    data = row["data"]
    if "error" in exact_json.columns_of(data):
        # The row was fed back in with its former error: this one replaces it.
        record = exact_json.parse_record(data)
        del record["error"]
        data = exact_json.dump_record(record)
    return exact_json.splice(data, {"error": orjson.dumps(error).decode()})


def _rejected_record(reject: Reject) -> str:
    error = {"kind": "rejected", "message": reject.reason, "attempts": 0}
    record = {"line": reject.line, "raw": reject.raw, "error": error}
    return orjson.dumps(record).decode()
