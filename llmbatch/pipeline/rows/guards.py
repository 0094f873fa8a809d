"""The guards of a job's input: inputs with which no engine is started, and nothing is written."""

from collections.abc import Callable
from dataclasses import dataclass

from llmbatch.core import units
from llmbatch.core.errors import UsageError
from llmbatch.job import stop_rules
from llmbatch.job.input import InputSpec
from llmbatch.store import results
from llmbatch.store.database import Database
from llmbatch.store.snapshots import FormerInputs, Snapshot

_MOST_REASONS = 3
_KEPT = "the output stays as it is"

Guard = Callable[[Database, Snapshot], None]
"""Raises UsageError for a reading that must not become the job's rows."""


def unguarded(db: Database, snapshot: Snapshot) -> None:
    """The guard that lets everything pass."""


def both(first: Guard, second: Guard) -> Guard:
    """The guard that lets pass what two guards let pass."""

    def guard(db: Database, snapshot: Snapshot) -> None:
        first(db, snapshot)
        second(db, snapshot)

    return guard


@dataclass(frozen=True, slots=True)
class InputGuard:
    """The guard of a job: `former` are the inputs of its runs, None before the first."""

    spec: InputSpec
    former: FormerInputs | None

    def __call__(self, db: Database, snapshot: Snapshot) -> None:
        rows = snapshot.rows_read
        if not rows and snapshot.reject_count:
            raise UsageError(_all_rejected(db, snapshot))
        self._check_least(snapshot.source.input, rows)
        self._check_shrink(snapshot.source.input, rows)

    def _check_least(self, name: str, rows: int) -> None:
        least, former = self.spec.min_rows, self.former
        if least is None and not rows and former and former.most:
            raise UsageError(
                f"{name}: has no rows, and the job had {former.most:,} before: {_KEPT}; if an "
                "empty input is right, add --min-rows 0"
            )
        if least is not None and rows < least:
            raise UsageError(
                f"{name}: has {units.count(rows, 'row')}, fewer than --min-rows {least:,}: {_KEPT}"
            )

    def _check_shrink(self, name: str, rows: int) -> None:
        if self.spec.max_shrink is None or self.former is None:
            return
        last, now = self.former.last, units.count(rows, "row")
        if last - rows > stop_rules.share(self.spec.max_shrink) * last:
            raise UsageError(
                f"{name}: has {now}, {units.share((last - rows) / last)} fewer than "
                f"the {last:,} of the last run (--max-shrink {self.spec.max_shrink}): {_KEPT}"
            )


def _all_rejected(db: Database, snapshot: Snapshot) -> str:
    found = results.reject_counts(db, _MOST_REASONS)
    reasons = "; ".join(f"{each.reason} ({each.where})" for each in found)
    count = snapshot.reject_count
    every = f"all {count:,} rows are" if count > 1 else "its only row is"
    return f"{snapshot.source.input}: {every} rejected: {reasons}"
