"""From the store to the output files."""

import heapq
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from llmbatch import formats
from llmbatch.core import values
from llmbatch.core.errors import InvariantError, UnwrittenError
from llmbatch.core.records import Reject
from llmbatch.core.spec import JobSpec
from llmbatch.pipeline import paths
from llmbatch.store import files, results, snapshots
from llmbatch.store.database import Database
from llmbatch.store.results import Counts

_USED = {
    "prompt_tokens": "integer",
    "cached_tokens": "integer",
    "output_tokens": "integer",
    # Of the attempts at the request that had failed before this one.
    "wasted_prompt_tokens": "integer",
    "wasted_cached_tokens": "integer",
    "wasted_output_tokens": "integer",
    # Rows of one request share what it used.
    "request": "text",
    "run": "integer",
}
_META = {"finish_reason": "text", "attempts": "integer"} | _USED
_COLUMN_TYPES = {"string": "text", "integer": "integer", "number": "number", "boolean": "boolean"}


def export(db: Database, spec: JobSpec, counts: Counts) -> None:
    """Write the answers to the job's output and the other rows to its error file.

    Both appear under their names only when they are whole: all that `counts` tells of.
    """
    output = Path(spec.output)
    errors = paths.errors_of_output(output)
    with _reported(output):
        _write_answers(db, spec, output, counts.answered)
    with _reported(errors):
        _write_errors(db, errors, counts.failed + counts.rejected, meta=spec.meta)


def export_answers(db: Database, spec: JobSpec, counts: Counts) -> None:
    """Write only the answers, and of a job that is not finished those that it has."""
    with _reported(Path(spec.output)):
        _write_answers(db, spec, Path(spec.output), counts.answered)


@contextmanager
def _reported(output: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UnwrittenError(
            f"{output}: cannot be written: {error.strerror}; the answers are safe in the store, "
            "run the same command again"
        ) from error


def _write_answers(db: Database, spec: JobSpec, output: Path, expected: int) -> None:
    snapshot = snapshots.newest(db)
    columns = snapshot.source.columns if snapshot else []
    format_name = formats.detect(str(output), None, writing=True)
    layout = _Layout(spec, columns, format_name)
    with files.atomic(output) as stream:
        writer = formats.open_writer(stream, format_name, columns, layout.columns)
        written = 0
        for row in results.in_input_order(db, ["answered"]):
            writer.write(row["data"], layout.answer(row))
            written += 1
        writer.close()
        _check_count(output, written, expected)


def _check_count(path: Path, written: int, expected: int) -> None:
    if written != expected:
        raise InvariantError(f"{path}: {written:,} records instead of {expected:,}; not written")


class _Layout:
    """Which columns an answer has, and its values for a row."""

    def __init__(self, spec: JobSpec, columns: list[str], format_name: str) -> None:
        self._response = spec.response_column
        self._structured = spec.answer.json_schema is not None
        self._meta = _free_names(_META, columns) if spec.meta else {}
        taken = [*columns, *self._meta.values()]
        properties = _properties(spec.answer.json_schema)
        self._spread = (
            _free_names(properties, taken) if properties and format_name != "jsonl" else {}
        )
        if self._spread:
            types = {self._spread[name]: kind for name, kind in properties.items()}
        else:
            types = {self._response: "json" if self._structured else "text"}
        meta_types = {self._meta[name]: _META[name] for name in self._meta}
        self.columns: dict[str, str] = types | meta_types

    def answer(self, row: Mapping[str, Any]) -> dict[str, Any]:
        meta = {
            column: row["attempt" if name == "attempts" else name]
            for name, column in self._meta.items()
        }
        return self._response_of(row["answer"]) | meta

    def _response_of(self, text: str) -> dict[str, Any]:
        if not self._structured:
            return {self._response: text}
        if not self._spread:
            return {self._response: values.Json(text)}
        document = values.parse_record(text)
        return {
            column: _plain(document.get(name), self.columns[column])
            for name, column in self._spread.items()
        }


def _plain(value: Any, kind: str) -> Any:
    """A property as a cell: what is not of the column's simple type stays JSON."""
    return values.Json(values.dump_record(value)) if kind == "json" and value is not None else value


def _properties(schema: dict[str, Any] | None) -> dict[str, str]:
    """The column types of a schema's top-level properties; empty if it is not an object's."""
    declared = (schema or {}).get("properties", {})
    return {name: _column_type(part) for name, part in declared.items()}


def _column_type(part: Any) -> str:
    declared = part.get("type") if isinstance(part, dict) else None
    if declared is None and isinstance(part, dict) and "enum" in part:
        return "text" if all(isinstance(item, str) for item in part["enum"]) else "json"
    names = [declared] if isinstance(declared, str) else list(declared or [])
    kinds = [name for name in names if name != "null"]
    return _COLUMN_TYPES.get(kinds[0], "json") if len(kinds) == 1 else "json"


def _free_names(wanted: Mapping[str, str], taken: list[str]) -> dict[str, str]:
    """A column for every wanted name; one that is taken gets the prefix `response_`."""
    free: dict[str, str] = {}
    for name in wanted:
        column = name
        while column in taken or column in free.values():
            column = f"response_{column}"
        free[name] = column
    return free


def _write_errors(db: Database, path: Path, expected: int, *, meta: bool) -> None:
    """The failed and rejected rows, by line. No such rows: no such file, not even an old one."""
    rows = results.in_input_order(db, ["failed"]) if expected else iter(())
    failed = ((row["line"], _failed_record(row, meta=meta)) for row in rows)
    rejected = ((reject.line, _rejected_record(reject)) for reject in results.rejects(db))
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


def _chain(first: tuple[int, str], rest: Iterator[tuple[int, str]]) -> Iterator[tuple[int, str]]:
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
        error |= {name: row[name] for name in _USED}
    data = row["data"]
    if "error" in values.columns_of(data):
        # The row was fed back in with its former error: this one replaces it.
        record = values.parse_record(data)
        del record["error"]
        data = values.dump_record(record)
    return values.splice(data, {"error": orjson.dumps(error).decode()})


def _rejected_record(reject: Reject) -> str:
    error = {"kind": "rejected", "message": reject.reason, "attempts": 0}
    record = {"line": reject.line, "raw": reject.raw, "error": error}
    return orjson.dumps(record).decode()
