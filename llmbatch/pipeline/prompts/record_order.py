"""The order in which `{{ record }}` writes the fields of a row."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from llmbatch.core import exact_json
from llmbatch.core.errors import LockedError, UsageError, nearest
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.prompts import field_order
from llmbatch.pipeline.prompts.field_order import Choice
from llmbatch.pipeline.prompts.ready_job import ReadyJob
from llmbatch.store import field_groups, snapshots
from llmbatch.store.database import Database
from llmbatch.store.field_groups import KnownOrder
from llmbatch.store.snapshots import Snapshot

# The fields' values of so many rows are in memory at a time.
_WINDOW = 20_000
# With more columns the records are sparse, and counting them in sets says little.
_MOST_COLUMNS = 256


def decide(
    db: Database, job: ReadyJob, snapshot: Snapshot, known: KnownOrder
) -> tuple[str, ...] | None:
    """The order for the rows of `snapshot`; columns that it does not name follow as they come.

    None if no template writes a whole record. `auto` is the order that the job used last, because
    another one would make its answers useless; while there are none (see `known`), it is chosen
    from the rows. Raises UsageError for a name, here or in a template, that is no column.
    """
    spec, prompt, columns = job.spec, job.prompt, snapshot.source.columns
    if not snapshot.row_count:
        return None
    # Choosing may take long, so errors in the templates are reported before.
    prompt.check(columns, spec.input.name)
    if not isinstance(spec.record_order, str):
        _check(spec.record_order, columns, spec.input.name)
    if not prompt.writes_record(columns):
        return None
    if spec.record_order == "auto":
        kept = _kept(spec, known)
        return choose(db, columns) if kept is None else kept
    return () if spec.record_order == "input" else spec.record_order


def _kept(spec: JobSpec, known: KnownOrder) -> tuple[str, ...] | None:
    """The order that the job's answers have, if it has any."""
    if not known.answered:
        return None
    # Without a record of it they are from a version that knew only the input's order.
    is_older = known.order is None and (spec.prompt, spec.system) in known.prompts
    return () if is_older else known.order


def known_order_of(db: Database, store: Path) -> KnownOrder:
    """The order that the store of a job knows, read from `db`, another store; none while a run
    holds it."""
    if not store.is_file():
        return field_groups.NO_ORDER
    try:
        return field_groups.known_order_in(db, store)
    except LockedError:
        return field_groups.NO_ORDER


def choose(db: Database, columns: Sequence[str]) -> tuple[str, ...]:
    """The order that lets the sorted prompts of the rows in the store share most; that of the
    columns if it is as good. Either way all rows have it, in whichever order their keys came."""
    if len(columns) > _MOST_COLUMNS:
        return tuple(columns)
    return tuple(columns[index] for index in measured(db, columns).order)


def measured(db: Database, columns: Sequence[str]) -> Choice:
    """The best order of the columns of the rows in the store, with what it saves."""
    with field_groups.table(db, columns, _batches(db, columns)) as table:
        return field_order.choose(table.rows, table.totals, table.groups)


def _batches(db: Database, columns: Sequence[str]) -> Iterator[list[list[str | None]]]:
    dump = exact_json.dump_record
    for window in snapshots.windows(db, _WINDOW):
        rows = [exact_json.parse_record(data) for _, data in window]
        yield [[dump(row[name]) if name in row else None for row in rows] for name in columns]


def _check(order: Sequence[str], columns: Sequence[str], source: str) -> None:
    for name in order:
        if name not in columns:
            shown = ", ".join(columns[:20])
            raise UsageError(
                f"record_order: no column {name!r} in {source}{nearest(name, columns)}; "
                f"columns: {shown}"
            )
