"""The changes of a run against the one before that came to its end, and their limit."""

from collections.abc import Iterator
from dataclasses import dataclass

from llmbatch.core import units
from llmbatch.core.errors import ExitCode
from llmbatch.job import stop_rules
from llmbatch.job.run_settings import RunSpec
from llmbatch.pipeline.prompts.ready_job import ReadyJob
from llmbatch.quality import changes
from llmbatch.quality.changes import Changes
from llmbatch.store import answers, editions, plans, snapshots
from llmbatch.store.database import Database
from llmbatch.store.editions import AnswerKind, Edition, FieldValue, RowChanges

# Values that a field of labels has at most.
_MOST_LABELS = 50


@dataclass(frozen=True, slots=True)
class Publication:
    """The things that a run leaves for the next one to compare with. `is_same`: all is as it was
    in the newest edition, which stays; `found`: the changes, None for a first run."""

    columns: list[str]
    values: list[FieldValue]
    found: Changes | None
    is_same: bool

    def keep(self, db: Database, run: int) -> None:
        """Let the next run compare with this one, which has come to its end."""
        found = None if self.found is None else self.found.to_json()
        if not self.is_same:
            editions.keep(db, run, self.columns, self.values, found)
        elif found is not None:
            editions.keep_changes(db, run, found)


def look(db: Database, job: ReadyJob) -> Publication:
    """Compare the rows and answers of now with those of the run before."""
    snapshot = snapshots.newest(db)
    columns = [] if snapshot is None else job.prompt.columns_used(snapshot.source.columns)
    before = next(iter(editions.kept(db)), None)
    if before is not None and before.stamp == editions.stamp(db):
        return Publication(columns, [], _unchanged(db, before), is_same=True)
    editions.take(db, columns, _kind(job))
    values = list(_label_values(db, job))
    found = None
    if before is not None:
        rows = editions.compare(db, before, columns)
        shifts = changes.label_shifts(editions.values(db, before), values)
        found = changes.of_rows(before.run, _when(before), rows, shifts)
    return Publication(columns, values, found, is_same=False)


def _unchanged(db: Database, before: Edition) -> Changes:
    rows, answered = editions.size(db, before)
    same = RowChanges(0, 0, 0, rows, answered, 0, 0, 0)
    return changes.of_rows(before.run, _when(before), same, [])


def _when(edition: Edition) -> str:
    return f"{edition.kept_at.isoformat(timespec='seconds')}+00:00"


def _kind(job: ReadyJob) -> AnswerKind:
    spec = job.spec
    if spec.task == "classify":
        return "label"
    if spec.task == "score":
        return "score"
    return "json" if job.task.columns.is_json else "text"


def _label_values(db: Database, job: ReadyJob) -> Iterator[FieldValue]:
    """The values of the fields that are labels: texts of few kinds."""
    answers.look_at(db, plans.counts(db).requests)
    columns = job.task.columns
    parts = columns.fields or columns.parts
    fields: dict[str | None, str] = dict(parts.items()) if parts else {None: columns.whole}
    for name, kind in fields.items():
        if kind not in ("text", "boolean"):
            continue
        seen = answers.take_values(db, name)
        if not seen.rows or seen.kinds > _MOST_LABELS or 2 * seen.kinds > seen.rows:
            continue
        for each in answers.count_values(db, _MOST_LABELS):
            yield FieldValue(name, each.value, each.rows)


def judged(
    code: ExitCode, reason: str, found: Changes | None, rules: RunSpec
) -> tuple[ExitCode, str]:
    """The exit code and the reason of a run that came to its end, with what it changed."""
    if found is None or rules.max_churn is None or found.churn is None:
        return code, reason
    changed, of = found.rows.changed_answers, found.rows.compared_rows
    if changed <= stop_rules.share(rules.max_churn) * of:
        return code, reason
    what = (
        f"{units.share(found.churn)} of the answers to the same input changed "
        f"({changed:,} of {of:,}; --max-churn {rules.max_churn})"
    )
    return ExitCode.INCOMPLETE, f"{reason}, {what}"
