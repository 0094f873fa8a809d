"""The body that a row asks for beside its messages is a part of its request, and of its key."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from llmbatch.core.records import Request
from llmbatch.job.folder import JobPaths
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.prompts import planner, ready_job
from llmbatch.pipeline.prompts.ready_job import ReadyJob
from llmbatch.pipeline.rows import ingest
from llmbatch.pipeline.run.feed import RequestFeed
from llmbatch.pipeline.run.feedback import Feedback
from llmbatch.pipeline.run.limits import RunLimits
from llmbatch.pipeline.run.stop_request import NEVER, StopRequest
from llmbatch.pipeline.run.stragglers import Stragglers
from llmbatch.pipeline.tasks.base import Task
from llmbatch.pipeline.tasks.generate import Generate
from llmbatch.store import plans, results
from llmbatch.store.opening import open_store

# Of the row without a body, as every version has made it.
PLAIN = "7f980a177711bc411416800042478906"
WITH_SEED = "fc3c31fae4016fa3280a7709626d1445"


@dataclass(frozen=True, slots=True)
class WithBody(Generate):
    """Takes what a row asks for besides from its column `body`."""

    def body(self, data: str) -> Mapping[str, Any] | None:
        found: Mapping[str, Any] | None = json.loads(data)["body"]
        return found


def with_bodies(task: Task) -> Task:
    assert isinstance(task, Generate)
    return WithBody(task.sampling, task.constraint, task.schema)


def job(folder: Path, *bodies: Mapping[str, Any] | None) -> ReadyJob:
    """One row for each body, all with the same messages."""
    rows = [json.dumps({"t": "a", "body": body}) for body in bodies]
    (folder / "in.jsonl").write_text("\n".join(rows))
    table = {"input": str(folder / "in.jsonl"), "output": "o.jsonl", "model": "m"}
    made = ready_job.make(JobSpec.model_validate(table | {"prompt": "Say {{ t }}"}))
    return replace(made, paths=JobPaths(folder), task=with_bodies(made.task))


def requests(made: ReadyJob) -> list[Request]:
    """The requests that the engine is given."""
    with open_store(made.paths.store) as db:
        snapshot = ingest.ingest(db, made.input, made.paths.spool)
        planner.plan(db, made, snapshot, {"model": "m"})
        assert set(results.violations(db).values()) <= {0}
        pending = plans.pending(db)
        limits = RunLimits(made.spec, StopRequest(), 0.0, NEVER)
        tail = Stragglers(made.task.sampling.max_tokens)
        feedback = Feedback(db, made.spec.run, lambda key: None)
        feed = RequestFeed(db, pending.positions, {}, 2, made.task, limits, tail, feedback)
        return list(feed)


def test_rows_that_ask_for_something_else_are_requests_of_their_own(tmp_path: Path) -> None:
    found = requests(job(tmp_path, {"seed": 1}, {"seed": 2}, None, {"seed": 1}))
    assert len({request.messages for request in found}) == 1
    assert len({request.key for request in found}) == 3
    asked = {request.key: request.body for request in found}
    assert sorted(map(str, asked.values())) == ["None", "{'seed': 1}", "{'seed': 2}"]


def test_their_keys_stay_what_they_are(tmp_path: Path) -> None:
    found = {str(one.body): one.key for one in requests(job(tmp_path, {"seed": 1}, None))}
    assert found == {"None": PLAIN, "{'seed': 1}": WITH_SEED}


def test_a_body_comes_through_exactly(tmp_path: Path) -> None:
    body = {"b": 2**70, "a": {"text": "é 🦆", "list": [1.5, None, True]}}
    (request,) = requests(job(tmp_path, body))
    assert request.body == body
    assert list(request.body or ()) == ["b", "a"]
