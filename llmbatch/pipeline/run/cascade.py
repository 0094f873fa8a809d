"""The stages of a run: one model after the other, each for the rows that the one before leaves.

A stage is a run of its own in the store, with its own engine, time and tokens. Which rows go on is
asked of the store (`store/cascade`), once nothing is pending at a stage. A job with one model is a
cascade of one stage, of which nothing is stored.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from llmbatch.core.errors import UsageError
from llmbatch.job import stages
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.prompts import other_limits, ready_job, record_order
from llmbatch.pipeline.prompts.planner import Asking
from llmbatch.pipeline.prompts.ready_job import ReadyJob
from llmbatch.pipeline.prompts.screening import Screening
from llmbatch.pipeline.run import job_rules, reopening
from llmbatch.pipeline.run.engine_factory import EngineFactory, IdentityLookup
from llmbatch.pipeline.run.planned_job import PlannedJob
from llmbatch.store import cascade, plans, snapshots
from llmbatch.store.cascade import StoredStage
from llmbatch.store.database import Database
from llmbatch.store.field_groups import KnownOrder
from llmbatch.store.plans import Plan
from llmbatch.store.snapshots import Snapshot


@dataclass
class Stage:
    """A model of the cascade, and the job that is asked of it. `number` counts from 0."""

    number: int
    job: ReadyJob
    engines: EngineFactory

    @cached_property
    def lookup(self) -> IdentityLookup:
        """The identity of its model."""
        return IdentityLookup(self.engines.first_engine)

    @property
    def name(self) -> str:
        """The stage in words."""
        return f"stage {self.number + 1} ({self.job.spec.model})"


@dataclass
class Cascade:
    """The stages of a job, the first one first. `orders`: of a record's fields at each stage, None
    where no prompt has a record."""

    spec: JobSpec
    stages: Sequence[Stage]
    orders: Sequence[tuple[str, ...] | None] = ()

    @property
    def is_single(self) -> bool:
        """True for a job with one model."""
        return len(self.stages) == 1

    def begin_lookups(self) -> None:
        """Begin to read what the models are, all at a time."""
        for stage in self.stages:
            _ = stage.lookup

    def identity(self, job: ReadyJob, planned: PlannedJob) -> Mapping[str, str]:
        """That of the model of the stage with this job."""
        found = [stage.lookup for stage in self.stages if stage.job is job]
        return found[0].identity() if found else planned.identity

    def begin(
        self,
        db: Database,
        planned: PlannedJob,
        known: KnownOrder,
        hold: Callable[[], None],
        *,
        anew: bool,
    ) -> Stage:
        """Let the store have these stages, and plan as far as its answers reach; returns the stage
        that is to work. `hold`: holds the answers to the job's rules; `anew`: none of the answers
        counts any more."""
        if self.is_single:
            self.orders = [planned.order]
            cascade.declare(db, planned.plan.plan, ())
            if not anew:
                hold()
            return self.stages[0]
        self.orders = [self._order(db, stage, planned, known) for stage in self.stages]
        if not anew:
            # Rows that went on under other rules have returned to the first stage by then.
            cascade.declare(db, planned.plan.plan, self._stored(self._asking(db)))
            hold()
            return self.advance(db, planned.plan)
        cascade.declare(db, planned.plan.plan, self._stored(self._asking(db)), anew=True)
        return self.stages[0]

    def advance(self, db: Database, plan: Plan) -> Stage:
        """Plan the next stage for the rows that go on to it, unless something is pending; returns
        the stage that is to work."""
        if self.is_single:
            return self.stages[0]
        asking = self._asking(db)
        cascade.declare(db, plan.plan, self._stored(asking))
        while not self._has_work(db) and (found := cascade.going_on(db)) is not None:
            number = found + 1
            if cascade.highest(db) >= number:
                # It was planned for other rows already, of answers that count no more.
                cascade.rewind(db)
            else:
                self._extend(db, plan, number, asking[number])
        return self.stages[cascade.highest(db)]

    def _has_work(self, db: Database) -> bool:
        """True if something is pending, or will be once the engine has found nothing wrong."""
        return bool(
            plans.pending(db).positions or reopening.settled_otherwise(db, self.spec) is not None
        )

    def _extend(self, db: Database, plan: Plan, number: int, asking: Asking) -> None:
        rows = cascade.rows_going_on(db, number - 1)
        windows = (snapshots.rows_at(db, window) for window in rows)
        spec = self.stages[number].job.spec
        adoption = other_limits.of_runs(db, spec).adoption(spec)
        with asking.rendered(windows) as batches:
            cascade.extend(db, plan, number, batches, asking.repetition_key, adoption)

    def _order(
        self, db: Database, stage: Stage, planned: PlannedJob, known: KnownOrder
    ) -> tuple[str, ...] | None:
        snapshot = newest(db)
        if planned.order is not None and stage.job.prompt.writes_record(snapshot.source.columns):
            return planned.order
        return record_order.decide(db, stage.job, snapshot, known)

    def _asking(self, db: Database) -> list[Asking]:
        snapshot = newest(db)
        return [
            Asking(
                stage.job,
                snapshot,
                stage.lookup.identity(),
                order,
                Screening(stage.job.spec, stage.lookup.control_tokens()),
                other_limits.of_runs(db, stage.job.spec),
            )
            for stage, order in zip(self.stages, self.orders, strict=True)
        ]

    def _stored(self, asking: Sequence[Asking]) -> list[StoredStage]:
        last = len(self.stages) - 1
        digests = [each.digest for each in asking]
        for number, digest in enumerate(digests):
            if digest in digests[:number]:
                raise UsageError(
                    f"[[model]] number {number + 1}: asks the same of the same model as number "
                    f"{digests.index(digest) + 1}: leave one of them out"
                )
        # The same cut answer counts as one, or as a failure, which goes on; and so does one that
        # breaks a rule.
        cut: str = self.spec.run.on_truncated
        rules = [job_rules.decisive(each) for each in job_rules.acting(self.spec.check)]
        cut += f" {rules}" if rules else ""
        return [
            StoredStage(number, f"{digest} {cut}", self._threshold(number), number == last)
            for number, digest in enumerate(digests)
        ]

    def _threshold(self, number: int) -> float | None:
        return cascade.ALL if self.spec.all_stages else self.spec.stages[number].escalate_below


def newest(db: Database) -> Snapshot:
    """The snapshot that is planned."""
    snapshot = snapshots.newest(db)
    assert snapshot is not None, "a plan is of a snapshot"
    return snapshot


def make(job: ReadyJob) -> Cascade:
    """The stages of a job that was made ready. Raises UsageError where an engine cannot be made."""
    specs = stages.specs(job.spec)
    if len(specs) == 1:
        return Cascade(job.spec, [Stage(0, job, EngineFactory(job))])
    made = []
    for number, spec in enumerate(specs):
        # One input, one output and one state folder for all of them.
        ready = replace(ready_job.make(spec), input=job.input, output=job.output, paths=job.paths)
        made.append(Stage(number, ready, EngineFactory(ready)))
    return Cascade(job.spec, made)
