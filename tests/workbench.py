"""A planned job and all that works on it, without a command line."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from llmbatch.constraints.check import make_judge
from llmbatch.core import clock
from llmbatch.engines.config import EngineConfig
from llmbatch.estimate.cache_forecaster import Forecaster
from llmbatch.job.folder import JobPaths
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.monitoring.progress import Progress
from llmbatch.pipeline.monitoring.status import StatusFile
from llmbatch.pipeline.prompts import planner, ready_job
from llmbatch.pipeline.rows import ingest
from llmbatch.pipeline.run import job_rules
from llmbatch.pipeline.run.answer_checks import AnswerChecks
from llmbatch.pipeline.run.counters import RunCounters, Timings
from llmbatch.pipeline.run.limits import RunLimits
from llmbatch.pipeline.run.rounds import Rounds
from llmbatch.pipeline.run.settle import Settlement
from llmbatch.pipeline.run.stop_request import NEVER, StopRequest
from llmbatch.pipeline.run.supervisor import Supervisor
from llmbatch.pipeline.tasks.acceptance import Acceptance
from llmbatch.quality.rules.judge import RuleJudge
from llmbatch.store import plans, results, runs
from llmbatch.store.opening import open_store
from llmbatch.store.rule_rows import PendingRows
from tests import scripted_engine
from tests.scripted_engine import ScriptedEngine


class Observed:
    """An observer that keeps all it gets, and may do something at the first outcome."""

    def __init__(self) -> None:
        self.phases: list[str] = []
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.last: Progress | None = None
        self.at_first: Any = None

    def phase(self, text: str) -> None:
        self.phases.append(text)

    def event(self, name: str, **fields: Any) -> None:
        self.events.append((name, fields))

    def progress(self, progress: Progress) -> None:
        self.last = progress
        if progress.rows_done and self.at_first:
            self.at_first()
            self.at_first = None

    def close(self) -> None: ...


def two_rows(folder: Path, **changes: Any) -> JobSpec:
    """The spec of a job of two rows, whose input is written."""
    (folder / "in.jsonl").write_text('{"t": "a"}\n{"t": "b"}\n')
    table = {
        "input": str(folder / "in.jsonl"),
        "output": str(folder / "out.jsonl"),
        "model": "m",
        "prompt": "{{ t }}",
        "engine": {"name": "tests.scripted_engine:create"},
    }
    return JobSpec.model_validate(table | changes)


class Bench:
    """A planned job of `texts`, one row each, and a loop over it. `beside`: another column."""

    def __init__(
        self, folder: Path, texts: Sequence[Any], *, beside: list[Any] | None = None, **changes: Any
    ) -> None:
        folder.mkdir(exist_ok=True)
        rows = [text if isinstance(text, dict) else {"t": text} for text in texts]
        if beside is not None:
            rows = [row | {"beside": value} for row, value in zip(rows, beside, strict=True)]
        (folder / "in.jsonl").write_bytes(b"\n".join(map(orjson.dumps, rows)))
        table = {"input": str(folder / "in.jsonl"), "output": "o.jsonl", "model": "m"}
        spec = JobSpec.model_validate(table | {"prompt": "{{ t }}"} | changes)
        self.paths = JobPaths(folder)
        self.job = replace(ready_job.make(spec), paths=self.paths)
        self.db = open_store(self.paths.store)
        snapshot = ingest.ingest(self.db, self.job.input, self.paths.spool)
        plan = planner.plan(self.db, self.job, snapshot, {"model": "m"})
        dumped = spec.model_dump(mode="json", by_alias=True)
        self.run = runs.begin(self.db, plan.plan, clock.moment(), dumped)
        self.stop = StopRequest()
        self.seen = Observed()
        self.timings = Timings()
        self.limits = RunLimits(spec, self.stop, clock.seconds(), NEVER)
        counters = RunCounters(len(texts), rows_reused=0)
        accept = Acceptance(make_judge(self.job.task.constraint))
        self.settlement = Settlement(
            self.db, self.run, spec.run, accept, counters, self.timings, self.seen, self.stop,
            checks=self._checks(),
        )  # fmt: skip
        self.spec = spec
        self.rounds = Rounds(
            self.db, self.job, plans.pending(self.db), self.limits, self.settlement
        )

    def _checks(self) -> AnswerChecks | None:
        """Those of the job, in this process."""
        spec, task = self.job.spec, self.job.task
        rules = job_rules.make(self.db, job_rules.acting(spec.check), task)
        if rules is None:
            return None
        judge = RuleJudge(rules.view, [each.rule for each in rules.rules])
        return AnswerChecks(rules, judge, PendingRows(self.db))

    def drive(self, *engines: ScriptedEngine) -> bool:
        """Work with these engines, one after the other."""
        supervisor = Supervisor(
            self.db,
            self.run,
            self.spec.run,
            iter(engines).__next__,
            self.rounds,
            self.settlement,
            self.limits,
            self.stop,
            self.seen,
            StatusFile(self.paths),
            Forecaster(self.db, self.spec, plans.pending(self.db).positions, engine()),
        )
        return supervisor.work()

    def checkpoints(self) -> list[int]:
        found = self.db.execute("SELECT attempts FROM checkpoints ORDER BY checkpoint")
        return [count for (count,) in found]

    def counts(self) -> results.Counts:
        assert set(results.violations(self.db).values()) == {0}
        return results.counts(self.db)


def engine(**options: Any) -> ScriptedEngine:
    return scripted_engine.create(EngineConfig("m", options))


def texts(count: int) -> list[str]:
    return [f"text {number}" for number in range(count)]
