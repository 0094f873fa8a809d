"""The runs that asked in another way than the newest one does."""

from typing import Any

from llmbatch.job import fields, stored
from llmbatch.job.spec import JobSpec
from llmbatch.store import run_records
from llmbatch.store.database import Database


def runs(db: Database) -> list[int]:
    """The numbers of the runs whose prompt, model or settings differ from those of the newest run.
    Of the others, a request that is not planned any more belonged to a row that is not in the input
    any more; of a run with the same input as the newest plan it did not, whatever else changed."""
    summaries = run_records.summaries(db)
    same_rows = run_records.of_newest_snapshot(db)
    asked = {each.run: _asked(stored.read_settings(each.spec)) for each in summaries}
    newest = asked[summaries[-1].run] if summaries else {}
    return [run for run, way in asked.items() if way != newest or run in same_rows]


def _asked(spec: dict[str, Any]) -> dict[str, Any]:
    """All of the settings that can change an answer, and the model's name."""
    return {name: spec.get(name) for name in {"model", *fields.shaping(JobSpec)}}
