"""From the store to the output files."""

import heapq
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from llmbatch import formats
from llmbatch.core import files
from llmbatch.core.errors import InvariantError, UnwrittenError
from llmbatch.formats.base import ALL_COLUMNS, WriteOptions
from llmbatch.pipeline.rows import (
    batch_output,
    chosen_rows,
    earlier_files,
    error_file,
    made_by_column,
    proven_output,
    quick_lines,
    ranking,
    row_errors,
    vector_columns,
)
from llmbatch.pipeline.rows.columns import RANK, Layout
from llmbatch.pipeline.rows.flag_column import FLAGS
from llmbatch.pipeline.rows.made_by_column import MADE_BY
from llmbatch.pipeline.rows.output_file import ANSWERED, NPY, OutputFile
from llmbatch.pipeline.rows.proven_output import Seal
from llmbatch.store import output_table, results, row_answers, snapshots
from llmbatch.store.database import Database
from llmbatch.store.flags import Flags
from llmbatch.store.plans import SKIPPED
from llmbatch.store.ranks import RankCounts, Ranks
from llmbatch.store.results import Counts
from llmbatch.store.snapshots import Snapshot

Rows = Iterable[Mapping[str, Any]]
# Formats of input in which every value is text.
_ALL_TEXT = ("csv", "tsv")
# In the note on a reading of which it was found out.
_SEMICOLON = "';' as separator"
_TYPED = ("parquet", "duckdb", "xlsx")


@dataclass(frozen=True, slots=True)
class Written:
    """The number of records in an output, and lines on what its user has to know. `ranked`: the
    answered rows that were ranked, if they were."""

    rows: int
    notices: Sequence[str] = ()
    ranked: RankCounts | None = None


def export(db: Database, output: OutputFile, counts: Counts) -> Written:
    """Write the answers to the job's output, the failed and rejected rows to its error file, unless
    both are proved to be what would be written.

    Both appear under their names only when they are whole, with as many rows as `counts` says.
    """
    with _reported(output.path):
        proof = proven_output.of(db, output)
        notices = None if proof is None else proof.notices(db)
    if notices is not None:
        return Written(sum(getattr(counts, state) for state in output.states), notices)
    seal = Seal()
    # Standard output is written last: what it has cannot be taken back.
    if output.is_stdout:
        _export_errors(db, output, counts, seal)
    written = export_answers(db, output, counts, seal)
    if not output.is_stdout:
        _export_errors(db, output, counts, seal)
    if proof is not None:
        proof.keep(db, seal, written.notices)
    return written


def _export_errors(db: Database, output: OutputFile, counts: Counts, seal: Seal) -> None:
    lost = counts.failed + counts.rejected
    take = partial(seal.take, "errors")
    with _reported(output.errors):
        error_file.write(
            db, output.errors, lost, meta=output.meta, batch=output.is_batch, whole=take
        )


def export_answers(
    db: Database, output: OutputFile, counts: Counts, seal: Seal | None = None
) -> Written:
    """Write only the output, and of a job that is not finished what it has. `seal` takes its
    digest."""
    expected = sum(getattr(counts, state) for state in output.states)
    if output.is_batch:
        return _export_lines(db, output, expected, seal)
    with _reported(output.path):
        snapshot = snapshots.newest(db)
        columns = snapshot.source.columns if snapshot else []
        output = vector_columns.sized(db, output)
        layout = Layout(output, columns)
        if output.format_name == NPY:  # first: the vectors appear when their rows are there
            own = [name for name in layout.columns if name not in columns]
            export_answers(db, vector_columns.rows_beside(output, columns, own), counts)
        options = _options(db, output, layout, snapshot)
        choose = chosen_rows.compile_condition(output.where, columns, layout, options)
        ranked = None if output.best is None else ranking.rank(db, output.best)
        expected -= 0 if ranked is None else ranked.others
        with _opened(output, seal) as stream:
            rows = partial(_rows, db, output, layout.beside)
            written = (
                Written(quick_lines.write(db, stream, output, layout))
                if quick_lines.is_plain(output, layout)
                else write_rows(stream, output.format_name, columns, layout, rows, options, choose)
            )
            if not output.is_chosen:
                error_file.check_count(output.path, written.rows, expected)
    return replace(written, ranked=ranked)


def _export_lines(db: Database, output: OutputFile, expected: int, seal: Seal | None) -> Written:
    """The same for an output in the shape of OpenAI's."""
    with _reported(output.path), _opened(output, seal) as stream:
        written = batch_output.write_answers(stream, row_answers.in_input_order(db), output.model)
        error_file.check_count(output.path, written, expected)
    return Written(written)


def check(db: Database, output: OutputFile, named: AbstractSet[str] | None = None) -> None:
    """Raise UsageError, once the rows are read and before anything is computed, for an output that
    cannot be written: columns that it does not have, too many rows, a file of somebody else.
    `named`: see `earlier_files.check`."""
    named = earlier_files.names_of(db) if named is None else named
    earlier_files.check(db, output, named=named)
    vector_columns.check_beside(output, named)
    snapshot = snapshots.newest(db)
    if snapshot is not None:
        rows = snapshot.row_count + snapshot.reject_count * ("rejected" in output.states)
        formats.check_rows(str(output.path), output.format_name, rows)
        Layout(output, snapshot.source.columns)
        if output.best is not None:
            ranking.check(output.best, snapshot)


def _options(
    db: Database, output: OutputFile, layout: Layout, snapshot: Snapshot | None
) -> WriteOptions:
    options = WriteOptions(layout.order, excel=output.excel, delimiter=_separator(output, snapshot))
    is_typed = output.format_name in _TYPED or output.where is not None
    if snapshot is None or not is_typed or snapshot.source.format in _ALL_TEXT:
        return options
    return replace(options, types=chosen_rows.types_of(db, snapshot.source.columns))


def _separator(output: OutputFile, snapshot: Snapshot | None) -> str | None:
    """The separator of a CSV for Excel: a semicolon where the input has it, since the Excel of such
    a country reads no other; else the format's own."""
    if not output.excel or output.format_name != "csv" or snapshot is None:
        return None
    found = any(_SEMICOLON in note for note in snapshot.source.notes)
    return ";" if found or output.input_delimiter == ";" else None


def _rows(
    db: Database, output: OutputFile, beside: AbstractSet[str]
) -> Iterator[Mapping[str, Any]]:
    """The rows to be written, in input order; of skipped ones alone with the reason in place of an
    answer. `beside`: the names of what stands beside the answers."""
    states = [state for state in output.states if state != "rejected"]
    rows = results.in_input_order(db, states)
    if output.best is not None:
        rows = _best(rows, Ranks(db))
    if MADE_BY in beside:
        rows = made_by_column.named(db, rows)
    if FLAGS in beside:
        rows = _flagged(rows, Flags(db), only=output.flagged)
    if output.samples is not None:
        rows = output.samples.shown(rows)
    if output.states == (SKIPPED,):
        return (row | {"answer": row["message"], "state": ANSWERED} for row in rows)
    if "rejected" not in output.states:
        return rows
    rejected = (row_errors.rejected_row(reject) for reject in results.rejects(db))
    return heapq.merge(rows, rejected, key=lambda row: (row["file"], row["line"]))


def _best(rows: Iterator[dict[str, Any]], ranks: Ranks) -> Iterator[dict[str, Any]]:
    """The answered rows that have a rank, with it, and all others."""
    for row in rows:
        rank = ranks.of(row["row"])
        if rank is not None or row["state"] != ANSWERED:
            yield row | {RANK: rank}


def _flagged(
    rows: Iterator[dict[str, Any]], flags: Flags, *, only: bool
) -> Iterator[dict[str, Any]]:
    """The rows with their flags; `only` those that have one."""
    for row in rows:
        found = flags.of(row["row"])
        if found or not only:
            yield row | {FLAGS: found}


@contextmanager
def opened(output: OutputFile) -> Iterator[BinaryIO]:
    """A stream for an output that is written at once. Raises UnwrittenError if it cannot be."""
    with _reported(output.path), _opened(output) as stream:
        yield stream


@contextmanager
def _opened(output: OutputFile, seal: Seal | None = None) -> Iterator[BinaryIO]:
    """A stream for the rows; where they go gets all of them when the block ends without an error,
    or nothing. `seal` takes the digest of a file."""
    if output.is_stdout:
        with tempfile.TemporaryFile() as stream:
            yield stream
            stream.seek(0)
            shutil.copyfileobj(stream, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        return
    path = files.behind_link(output.path)
    if output.format_name != "duckdb":
        with files.atomic(path) as stream:
            yield stream
            if seal is not None:
                seal.take("output", stream)
        return
    with output_table.draft(path) as stream:
        yield stream
        stream.flush()
        output_table.replace(path, output.table, Path(stream.name))


@contextmanager
def _reported(output: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UnwrittenError(
            f"{output}: cannot be written: {error.strerror}; the answers are safe in the store, "
            "run the same command again"
        ) from error


def write_rows(
    stream: BinaryIO,
    format_name: str,
    columns: Sequence[str],
    layout: Layout,
    rows: Callable[[], Rows],
    options: WriteOptions = ALL_COLUMNS,
    choose: chosen_rows.Condition = chosen_rows.ALL,
) -> Written:
    """Write those of `rows` (called again for each beginning) that `choose` lets through. What an
    answer holds is known only when it is written, so the first one that does not fit into the
    columns means to begin anew with wider ones, which seldom happens."""
    while True:
        written = 0
        try:
            with formats.open_writer(
                stream, format_name, columns, layout.columns, options
            ) as writer:
                for data, answer in choose((row["data"], layout.answer(row)) for row in rows()):
                    writer.write(data, answer)
                    written += 1
            return Written(written, tuple(writer.notices()))
        except formats.Misfit as misfit:
            narrow = layout.columns, options
            layout, options = _widened(layout, options, misfit)
            if narrow == (layout.columns, options):
                raise InvariantError(f"{stream.name}: {misfit}; not written") from misfit
            choose = choose.widened(layout, options)
            stream.seek(0)
            stream.truncate()


def _widened(
    layout: Layout, options: WriteOptions, misfit: formats.Misfit
) -> tuple[Layout, WriteOptions]:
    """Columns that hold the value; one of the input becomes text."""
    if misfit.column in options.types:
        types = {name: kind for name, kind in options.types.items() if name != misfit.column}
        return layout, replace(options, types=types)
    layout = layout.widened(misfit)
    return layout, replace(options, order=layout.order)
