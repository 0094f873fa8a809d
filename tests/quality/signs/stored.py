"""Stores of jobs whose inputs and answers are given, a request for each row."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from llmbatch.core import clock
from llmbatch.core.outcomes import Verdict
from llmbatch.core.records import Record
from llmbatch.job.spec import JobSpec
from llmbatch.store import plans, runs, snapshots
from llmbatch.store.database import Database
from llmbatch.store.opening import open_store
from llmbatch.store.rendered_rows import RenderedRow
from llmbatch.store.runs import Attempt
from llmbatch.store.snapshots import Row, Source

USUAL: dict[str, Any] = {
    "input": "in.jsonl",
    "output": "out.jsonl",
    "model": "m",
    "prompt": "Sum up: {{ t }}",
}


def spec(**settings: Any) -> JobSpec:
    return JobSpec.model_validate(USUAL | settings)


@contextmanager
def job(folder: Path, rows: Sequence[tuple[str, str]]) -> Iterator[Database]:
    """The store of a job over these texts and answers."""
    with open_store(folder / "job.duckdb") as db:
        fill(db, rows)
        yield db


def fill(db: Database, rows: Sequence[tuple[str, str]]) -> None:
    """Read and answer the rows: what the store had before is of an older plan."""
    items = [
        Row(place, str(place), Record(place, orjson.dumps({"t": text}).decode()))
        for place, (text, _) in enumerate(rows, 1)
    ]
    source = Source("in.jsonl", "jsonl", str(clock.seconds()), None, ["t"])
    snapshot = snapshots.replace(db, items, lambda: source)
    first = int(db.scalar("SELECT count(*) FROM attempts"))
    keys = [f"{first + place:032x}" for place, _ in enumerate(rows, 1)]
    rendered = [
        RenderedRow(place, key, None, None, f"ask {key}") for place, key in enumerate(keys, 1)
    ]
    plan = plans.replace(db, snapshot.snapshot, str(clock.seconds()), [rendered], None).plan
    run = runs.begin(db, plan, clock.moment(), dict(USUAL))
    attempts = [
        Attempt(key, 1, Verdict.ANSWERED, None, None, "stop", answer, 10, 4, 2)
        for key, (_, answer) in zip(keys, rows, strict=True)
    ]
    runs.checkpoint(db, run, 1, attempts, {})
