"""The output and the error file of an earlier run, the only files that a run replaces.

They are known by what they hold, or because a run of the job in the store has named them.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

from llmbatch import formats
from llmbatch.core import exact_json
from llmbatch.core.stored import json_table
from llmbatch.job import folder
from llmbatch.job.targets import OUTPUT, Target, foreign_error
from llmbatch.pipeline.rows import batch_output
from llmbatch.pipeline.rows.columns import is_explained, is_from
from llmbatch.pipeline.rows.output_file import OutputFile
from llmbatch.store import output_table, run_records, snapshots
from llmbatch.store.database import Database

ERRORS = "error file"
# A record that is longer than this is taken for something else.
_LINE = 2**26


def output_target(output: OutputFile, *, known: bool) -> Target:
    """The job's output; `known`: a file of that name is taken for it for now."""
    known = known or output.overwrite
    return Target(OUTPUT, output.path, lambda path: known or _is_output(path, output))


def errors_target(output: OutputFile, *, known: bool) -> Target:
    """The job's error file; `known` as for the output."""
    known = known or output.overwrite
    return Target(ERRORS, output.errors, lambda path: known or _is_error_file(path))


def check(
    db: Database,
    output: OutputFile,
    *,
    with_errors: bool = True,
    named: AbstractSet[str] | None = None,
) -> None:
    """Raise UsageError for a file that neither looks like the output, or the error file, nor was
    `named` by an earlier run (None: by one that the store knows). Once the rows are read, a file
    does not look like the output if it has a column that comes neither from them nor from an
    answer."""
    if output.overwrite:
        return
    targets = [] if output.is_stdout else [output_target(output, known=False)]
    targets += [errors_target(output, known=False)] if with_errors else []
    names = names_of(db) if named is None else named
    snapshot = snapshots.newest(db)
    for target in targets:
        path = target.file
        there = path.exists() and path.stat().st_size
        if not there or (target.path.name in names and output.format_name != "duckdb"):
            continue
        if not target.is_ours(path):
            raise foreign_error(target)
        if snapshot and target.what == OUTPUT:
            _check_columns(target, path, output, snapshot.source.columns)


def _check_columns(target: Target, path: Path, output: OutputFile, columns: Sequence[str]) -> None:
    found = _columns_of(path, output)
    if not output.is_batch and not is_explained(output, columns, found):
        raise foreign_error(target)


def names_of(db: Database) -> AbstractSet[str]:
    """The names of the files that the store's runs had as their output and error file."""
    specs = [json_table(spec) for spec in run_records.specs(db).values()]
    return named_by(specs, db.path.parent)


def named_by(specs: Sequence[Mapping[str, Any]], state: Path) -> AbstractSet[str]:
    """The names of the files that runs of these specs had as their output and error file. Not their
    places: the folder may have been moved, and so was the store in `state`."""
    named = (spec.get("output") for spec in specs)
    outputs = [Path(name) for name in named if isinstance(name, str) and Path(name).name]
    files = {path.name for out in outputs for path in (out, folder.errors_of_output(out))}
    return files | {folder.errors_of_output(state).name}


def _is_output(path: Path, output: OutputFile) -> bool:
    """True if the file has the columns of the job's answers, or just those that are to be written
    now; a database: if its table has them, or if there is no such table."""
    if output.is_batch:
        return batch_output.is_ours(_first_record(path))
    found = _columns_of(path, output)
    if output.format_name == "duckdb" and not found:
        return True
    return is_from(output, found) or found == set(output.columns) != set()


def _columns_of(path: Path, output: OutputFile) -> AbstractSet[str]:
    """The columns that a file has; of JSON Lines those of its first record."""
    if output.format_name == "jsonl":
        return _first_record(path).keys()
    if output.format_name == "duckdb":
        return set(output_table.columns(path, output.table) or ())
    return set(formats.written_columns(str(path), output.format_name))


def _is_error_file(path: Path) -> bool:
    record = _first_record(path)
    error = record.get("error")
    if batch_output.is_ours(record):
        return isinstance(error, dict)
    return isinstance(error, dict) and {"kind", "message", "attempts"} <= error.keys()


def _first_record(path: Path) -> dict[str, Any]:
    """The first record of a JSON Lines file; empty where there is none."""
    with path.open("rb") as stream:
        line = stream.readline(_LINE)
    try:
        record = exact_json.parse_record(line.decode())
    except ValueError:
        return {}
    return record if isinstance(record, dict) else {}
