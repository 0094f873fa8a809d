"""A preview of a run: the same reading and planning, in a store that is thrown away."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import orjson

from llmbatch.core import clock
from llmbatch.core.errors import LockedError
from llmbatch.engines import registry
from llmbatch.engines.base import Engine, check_ahead
from llmbatch.engines.checks_device import check_device
from llmbatch.engines.config import EngineConfig
from llmbatch.engines.grammar_plan import GrammarPlan
from llmbatch.engines.pooling import Pooling, pooling_of
from llmbatch.estimate import limit_warnings, past_runs, requirements
from llmbatch.estimate.requirements import Requirements
from llmbatch.job import shard
from llmbatch.job.alike import is_alike
from llmbatch.pipeline.prompts.ready_job import ReadyJob
from llmbatch.pipeline.prompts.screening import CONTROL_TOKENS
from llmbatch.pipeline.rows import earlier_files, export, whole_output
from llmbatch.pipeline.run import gold_rows, job_rules, limits, making, reopening, reuse
from llmbatch.pipeline.run.planned_job import PlannedJob
from llmbatch.pipeline.run.prepare import plan_aside, try_first_chats
from llmbatch.pipeline.tasks import engine_config, feedback, held
from llmbatch.quality import gold_gate, repeatability
from llmbatch.quality.drift.comparison import Drift
from llmbatch.sizing.device import Device
from llmbatch.store import history, plans, results, snapshots
from llmbatch.store.database import Database
from llmbatch.store.history import JobHistory, PendingWork
from llmbatch.store.results import RejectCount, SkipCount
from llmbatch.store.runs import EngineRun

_MOST_REASONS = 5
_UNNAMED = "neither an output (-o) nor a state folder (--state) names earlier runs"


@dataclass(frozen=True, slots=True)
class Preview:
    """Rows and requests by their treatment in a run, and the requirements of that run.

    `reused_*` count what the job's store has settled already; None while another run holds it, and
    for a plan without an output. `reuse_unknown`: why they are None. `reuse_reasons`: why they are
    not more, a line each.
    `control_token_rows` hold control tokens of the model and are sent as text, None where these are
    not known; `control_token_failures` fail for them. `constraint`: how the engine holds answers to
    it, None without one, and where it does not say. `pooling`: how it makes numbers of texts, None
    where it does not, or does not say. `samples`: of each row, each with a request.
    `limit_warnings`: limits that would stop the
    run before its end, a line each. `drift`: what is other in the input than before.
    `repeatability`: reasons for which answers may come out otherwise when they are computed anew.
    """

    rows_in: int
    rejected: int
    rejects: list[RejectCount]
    template_failures: int
    control_token_rows: int | None
    control_token_failures: int
    failure_example: str | None
    skipped: int
    skips: list[SkipCount]
    drift: Drift
    repeatability: list[str]
    requests: int
    samples: int
    duplicates: int
    reused_requests: int | None
    reused_rows: int | None
    chunks: int
    requirements: Requirements
    reuse_unknown: str | None
    reuse_reasons: list[str]
    notices: list[str]
    constraint: GrammarPlan | None
    pooling: Pooling | None
    first_messages: list[tuple[str, str]]
    limit_warnings: list[str]

    def as_json(self) -> dict[str, Any]:
        """The plan as one flat table, in the order in which `plan --json` prints it."""
        first = _values(self)
        del first["requirements"], first["constraint"], first["pooling"]
        first["drift"] = self.drift.to_json()
        plan = self.constraint
        first["constraint"] = None if plan is None else plan.to_json()
        first["pooling"] = None if self.pooling is None else self.pooling.to_json()
        notices = [*first.pop("notices"), *(plan.notices if plan else ())]
        last = {"notices": notices, "stops": first.pop("limit_warnings")}
        last["first_messages"] = first.pop("first_messages")
        needs = _values(self.requirements)
        last["prefix_cache"] = needs.pop("prefix_cache")
        return first | needs | last


def _values(value: Any) -> dict[str, Any]:
    """The fields of a dataclass, not those of what is in them."""
    return {each.name: getattr(value, each.name) for each in fields(value)}


def preview(job: ReadyJob, device: Device | None = None, *, is_kept: bool = True) -> Preview:
    """Read and plan the job without a trace; for `device`, or for the one that is there. Raises
    UsageError as a run would (`is_kept`: False for a job without an output and a state folder),
    and for what can be known at once, at once."""
    spec, task = job.spec, job.task
    limits.check(spec)
    gold_gate.check(spec)
    shard.check(spec)
    engine = registry.load(spec.engine.name)(_config(job))
    check_ahead(engine, task.sampling, task.constraint)
    if device is None:
        check_device(engine)
    constraint, pooling = held.plan_of(engine, task), pooling_of(engine)
    with tempfile.TemporaryDirectory(prefix="llmbatch-plan-") as folder:
        began = clock.seconds()
        with plan_aside(job, engine, Path(folder)) as (db, planned):
            reading = clock.seconds() - began
            job_rules.require(db, spec, task)
            pending, locked = _read_pending(db, job, engine)
            _check_as_run(db, job, pending.history, locked=locked)
            notices = [
                *planned.notices,
                *job.task.notices(),
                *feedback.notices(spec),
                *try_first_chats(db, engine),
                *gold_rows.notices(db, job),
                *making.news_aside(job, planned, pending.history.runs, len(pending.positions)),
            ]
            order = planned.order or ()
            needs = requirements.estimate(db, job, pending, engine, order, device, reading)
            unknown = "a run holds the job" if locked else None if is_kept else _UNNAMED
            return _preview(db, job, pending, needs, constraint, pooling, notices, planned, unknown)


def _check_as_run(db: Database, job: ReadyJob, past: JobHistory, *, locked: bool) -> None:
    """The checks of a run that need what earlier ones left, and the rows."""
    if locked:
        return
    spec, output, state = job.spec, job.output, job.paths.state
    named = earlier_files.named_by([run.spec for run in past.runs], state)
    whole_output.check_against(
        [(run.exit_code, run.spec) for run in past.runs if not past_runs.is_sample(run)],
        spec,
        output,
        state,
    )
    export.check(db, output, named)
    sizes = plans.counts(db)
    reuse.require(spec, past.settled_rows, sizes.asked, reuse.newest(past.runs))


def _reuse_reasons(db: Database, job: ReadyJob, pending: PendingWork) -> list[str]:
    """The reasons why the pending work has to be done, where earlier runs left answers."""
    past = pending.history
    if not (past.runs and pending.positions):
        return []
    snapshot = snapshots.newest(db)
    columns = snapshot.source.columns if snapshot else []
    return reuse.reasons(job.spec, reuse.newest(past.runs), past.asked, columns)


def _config(job: ReadyJob) -> EngineConfig:
    return engine_config.make(job.spec, job.task)


def _input_notices(db: Database, job: ReadyJob) -> list[str]:
    snapshot = snapshots.newest(db)
    if snapshot is None:
        return []
    return [*snapshot.source.notes, *job.prompt.notices(snapshot.source.columns)]


def _read_pending(db: Database, job: ReadyJob, engine: Engine) -> tuple[PendingWork, bool]:
    """The pending work; and True if a run holds the job, so that its store cannot be read."""
    spec, store = job.spec, job.paths.store

    def alike(kept: Any) -> bool:
        return is_alike(kept, spec)

    def outgrown(engine_runs: Sequence[EngineRun]) -> list[int]:
        return reopening.runs_with_shorter(engine_runs, reopening.expected_limit(spec, engine))

    try:
        own = store if store.is_file() else None
        keeps_cut = spec.run.keeps_cut
        return history.pending_work(db, own, alike, outgrown, keeps_cut=keeps_cut), False
    except LockedError:
        return history.pending_work(db, None, alike), True


def _preview(
    db: Database,
    job: ReadyJob,
    pending: PendingWork,
    needs: Requirements,
    constraint: GrammarPlan | None,
    pooling: Pooling | None,
    notices: list[str],
    planned: PlannedJob,
    unknown: str | None,
) -> Preview:
    counts, sizes, screening = results.counts(db), plans.counts(db), planned.screening
    first = plans.first_messages(db)
    failures = results.failures(db)
    for_control = sum(each.rows for each in failures if each.kind == CONTROL_TOKENS)
    return Preview(
        rows_in=counts.rows_in,
        rejected=counts.rejected,
        rejects=results.reject_counts(db, _MOST_REASONS),
        template_failures=counts.failed - for_control,
        control_token_rows=None if screening.tokens is None else sizes.control,
        control_token_failures=for_control,
        failure_example=failures[0].example if failures else None,
        skipped=counts.skipped,
        skips=results.skips(db, _MOST_REASONS),
        drift=planned.watch.drift,
        repeatability=list(
            repeatability.notes(
                job.spec, needs.device.kind if needs.device else None, job.spec.engine.options
            )
        ),
        requests=sizes.requests,
        samples=sizes.samples,
        duplicates=sizes.duplicates,
        reused_requests=None if unknown else pending.history.settled_requests,
        reused_rows=None if unknown else round(pending.history.settled_rows),
        chunks=-(-sizes.requests // job.spec.run.chunk_size),
        requirements=needs,
        reuse_unknown=unknown,
        reuse_reasons=_reuse_reasons(db, job, pending),
        notices=[*notices, *screening.notices(), *_input_notices(db, job)],
        constraint=constraint,
        pooling=pooling,
        limit_warnings=limit_warnings.find(
            job.spec, len(pending.positions), needs.time.seconds, needs.cost
        ),
        first_messages=[(role, text) for role, text in orjson.loads(first or "[]")],
    )
