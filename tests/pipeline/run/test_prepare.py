"""A job is read and planned, in its own store or in one that is thrown away."""

from pathlib import Path
from typing import Any

from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.prompts import ready_job
from llmbatch.pipeline.prompts.ready_job import ReadyJob
from llmbatch.pipeline.run import prepare
from llmbatch.store import field_groups, plans
from llmbatch.store.opening import open_store
from tests.workbench import engine


def job(folder: Path, **changes: Any) -> ReadyJob:
    (folder / "in.jsonl").write_text('{"id": 1, "kind": "a"}\n{"id": 2, "kind": "a"}\n')
    table = {"input": str(folder / "in.jsonl"), "output": str(folder / "o.jsonl"), "model": "m"}
    return ready_job.make(JobSpec.model_validate(table | {"prompt": "{{ record }}"} | changes))


def test_reading_comes_before_planning_and_both_are_shown(tmp_path: Path) -> None:
    made, shown = job(tmp_path), list[str]()
    known = field_groups.NO_ORDER
    with open_store(tmp_path / "job.duckdb") as db:
        spool = tmp_path / "spool"
        planned = prepare.read_and_plan(db, made, engine(), known, spool, shown.append)
        assert planned.plan == plans.current(db)
        assert len(plans.pending(db).positions) == 2
    assert planned.order == ("kind", "id")
    assert shown == ["reading the input", "planning"]


def test_a_plan_aside_leaves_the_job_alone(tmp_path: Path) -> None:
    made, aside = job(tmp_path), tmp_path / "aside"
    aside.mkdir()
    with prepare.plan_aside(made, engine(), aside) as (db, planned):
        assert len(plans.pending(db).positions) == 2
        assert planned.order == ("kind", "id")
    assert not made.paths.state.exists()
