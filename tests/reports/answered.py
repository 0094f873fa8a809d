"""Stores of jobs whose answers are given, without a run of an engine."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from llmbatch.core import clock
from llmbatch.core.outcomes import Verdict
from llmbatch.core.records import Record, Reject
from llmbatch.reports import report as job_report
from llmbatch.reports.report import Report
from llmbatch.store import failures, plans, runs, snapshots
from llmbatch.store.database import Database
from llmbatch.store.opening import open_store
from llmbatch.store.rendered_rows import RenderedRow
from llmbatch.store.runs import Attempt
from llmbatch.store.snapshots import Row, Source

TIMINGS = {"prepare": 0.1, "engine_start": 0.2, "generate": 0.5, "engine_stop": 0.1, "export": 0.1}


@contextmanager
def store(folder: Path) -> Iterator[Database]:
    with open_store(folder / "job.duckdb") as db:
        yield db


def run(
    db: Database,
    rows: Mapping[str, str | None],
    settings: Mapping[str, Any] | None = None,
    *,
    rejects: Sequence[str] = (),
    ended: int | None = 0,
    beside: Mapping[str, Mapping[str, Any]] | None = None,
    id_column: str | None = None,
) -> int:
    """A run over rows with these ids, which are their texts, too: each gets its answer, fails
    (`FAIL`), fails before it is asked (`TEMPLATE`), or stays pending (None). Rows with the same
    answer ask the same. What was answered before is not asked again. `beside`: further columns of
    rows, by their ids. `id_column`: the one that holds these, "t", or none."""
    plan = _plan(db, rows, rejects, beside or {}, id_column)
    spec: dict[str, Any] = {"input": "in.jsonl", "output": "out.jsonl", "model": "m"}
    number = runs.begin(
        db, plan, clock.moment(), spec | {"prompt": "{{ t }}"} | dict(settings or {})
    )
    known = {key for (key,) in db.execute("SELECT CAST(key AS VARCHAR) FROM settled")}
    attempts = [
        _attempt(answer)
        for answer in dict.fromkeys(rows.values())
        if answer not in (None, "TEMPLATE") and _dashed(answer) not in known
    ]
    if attempts:
        runs.checkpoint(db, number, 1, attempts, {})
    if ended is not None:
        if ended in (0, 3):
            failures.count_new(db, number)
            failures.keep_known(db, number)
        runs.end(db, number, "finished", ended, TIMINGS)
    return number


def _plan(
    db: Database,
    rows: Mapping[str, str | None],
    rejects: Sequence[str],
    beside: Mapping[str, Mapping[str, Any]],
    id_column: str | None,
) -> int:
    items: list[Row | Reject] = [
        Row(place, name, Record(place, orjson.dumps({"t": name, **beside.get(name, {})}).decode()))
        for place, name in enumerate(rows, 1)
    ]
    items += [Reject(len(rows) + place, "odd", raw) for place, raw in enumerate(rejects, 1)]
    columns = dict.fromkeys(name for columns in beside.values() for name in columns)
    source = Source("in.jsonl", "jsonl", str(clock.seconds()), id_column, ["t", *columns])
    snapshot = snapshots.replace(db, items, lambda: source)
    rendered = [
        RenderedRow(place, None, "template", "no", None)
        if answer == "TEMPLATE"
        else RenderedRow(place, key(answer or f"pending {name}"), None, None, f"ask {answer}")
        for place, (name, answer) in enumerate(rows.items(), 1)
    ]
    return plans.replace(db, snapshot.snapshot, str(clock.seconds()), [rendered], None).plan


def key(answer: str | None) -> str:
    """The key of the request that has this answer."""
    return hashlib.blake2b((answer or "").encode(), digest_size=16).hexdigest()


def _dashed(answer: str | None) -> str:
    text = key(answer)
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def _attempt(answer: str | None) -> Attempt:
    if answer == "FAIL":
        told = ("too_long", "too long", None, None)
        return Attempt(key(answer), 1, Verdict.DEAD, *told, 3, 0, 0)
    return Attempt(key(answer), 1, Verdict.ANSWERED, None, None, "stop", answer, 10, 4, 2)


def reported(db: Database) -> Report:
    report = job_report.build(db)
    assert report is not None
    return report
