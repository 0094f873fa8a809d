"""The report as a value: every figure comes from the store."""

from dataclasses import dataclass
from typing import Any

from llmbatch.accounting import attribution, costs, device_share, distributions, runs, stages
from llmbatch.accounting.attribution import Attribution
from llmbatch.accounting.costs import Costs
from llmbatch.accounting.device_share import DeviceShare
from llmbatch.accounting.distributions import Details
from llmbatch.accounting.speculation import SpeculationUse
from llmbatch.accounting.stages import CascadeUse
from llmbatch.accounting.usage import RunResources, RunUsage, TotalUsage, priced, sum_up
from llmbatch.core.outcomes import FAILURE_KINDS
from llmbatch.engines.info import EngineInfo
from llmbatch.job import stored
from llmbatch.job.cost import CostSpec
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.rows import columns, output_file, ranking
from llmbatch.quality import made_by, repeatability
from llmbatch.quality.changes import Changes
from llmbatch.quality.drift.comparison import Drift
from llmbatch.quality.made_by import MadeBySet
from llmbatch.reports import answers, calibration, flags
from llmbatch.reports.answers import AnswerFigures
from llmbatch.reports.calibration import Calibration
from llmbatch.reports.flags import FlagFigures, JobSign
from llmbatch.store import (
    editions,
    failures,
    input_profiles,
    plans,
    results,
    run_records,
    snapshots,
)
from llmbatch.store.database import Database
from llmbatch.store.failures import NewFailures
from llmbatch.store.results import Counts, FailureCount, RejectCount, SettledRows, SkipCount
from llmbatch.store.run_records import RunSummary, StartRecord

REPORT_VERSION = 8
# Reasons for which rows were skipped: all but a few jobs have one.
_MOST_REASONS = 20


@dataclass(frozen=True, slots=True)
class FailureLine:
    """Failed rows of one kind, with one message and the advice."""

    kind: str
    rows: int
    example: str
    advice: str


@dataclass(frozen=True, slots=True)
class Duplicates:
    """Rows that share the request of another, those of them that have an answer, the tokens that
    computing each of these by itself would have taken, and their cost (see `costs.Saving`; None
    without a price)."""

    rows: int
    answered: int
    prompt_tokens: int
    output_tokens: int
    cost: float | None


@dataclass(frozen=True, slots=True)
class ConstraintUse:
    """The holding of answers to their form: by the `backend` while they are written, which is empty
    if nothing did, but for `check_only` (each `keyword at place`), which only the check holds."""

    backend: str
    check_only: list[str]


@dataclass(frozen=True, slots=True)
class Ranking:
    """The answered rows by their scores, in `groups`: those with the same value in the column
    `group_by`, or with the same query (None). `written`: the best `top` of each, or all (None);
    `left_out`: the other answered ones, which are not in the output."""

    group_by: str | None
    top: int | None
    groups: int
    written: int
    left_out: int


@dataclass(frozen=True, slots=True)
class Report:
    """All that is reported of a job. `new_failures`: those that no run before the last one had met
    when it came to its end; `reused`: rows that were answered before the last run; `changes`:
    against the run before that came to its end, None for a first one and for one that has not;
    `cascade`: None for a job with one model;
    `answers`: None while no row has one; `calibration`: None for a job whose right labels are not
    known; `flags`: of rows, by their origin, those that some row has; `drift`: of the input against
    those before; `made_by`: the versions that made the answers; `repeatability`: reasons for which
    an answer may come out otherwise when it is computed anew; `job_signs`:
    warning signs of all answers together.
    `last_run` and `all_runs` have the same figures, and so have their `costs` and `all_costs`.
    `attribution` is of all runs, None where no columns were named;
    `speculation` of all runs, None where nothing was drafted;
    `limit` of the last run that did work, None on a CPU, and where device or model are not known;
    `resources` of the last run, None where they were not measured; `control_token_rows`: those that
    hold control tokens of the model and are sent as text, as far as such tokens are known;
    `samples`: the answers that a row has, each with a request of its own; `ranking`: None for a job
    that ranks no rows;
    `cut_answers`: answered rows whose answer was cut and is kept;
    `reasoning_tokens`: the output tokens of all runs that were thought before the answers;
    `rejects`: the reasons for which lines of the input never became rows; `input_notes`: the
    findings about how the input is written; `constraint` as the last engine said, None where it did
    not, and for a job without one. `currency`: that of all amounts."""

    version: int
    input: str
    output: str
    model: str
    rows_in: int
    counts: Counts
    new_failures: NewFailures
    changes: Changes | None
    cascade: CascadeUse | None
    answers: AnswerFigures | None
    calibration: Calibration | None
    flags: list[FlagFigures]
    job_signs: list[JobSign]
    drift: Drift
    made_by: list[MadeBySet]
    repeatability: list[str]
    reused: int
    requests: int
    samples: int
    control_token_rows: int
    ranking: Ranking | None
    cut_answers: int
    reasoning_tokens: int
    duplicates: Duplicates
    currency: str
    last_run: TotalUsage
    all_runs: TotalUsage
    costs: Costs
    all_costs: Costs
    attribution: Attribution | None
    speculation: SpeculationUse | None
    limit: DeviceShare | None
    resources: RunResources | None
    failures: list[FailureLine]
    skips: list[SkipCount]
    rejects: list[RejectCount]
    input_notes: list[str]
    rows_by_attempts: list[SettledRows]
    runs: list[RunUsage]
    engine: dict[str, Any] | None
    constraint: ConstraintUse | None
    details: Details


def build(db: Database, cost: CostSpec | None = None) -> Report | None:
    """The report of a job, or None if no run has begun yet.

    The settings of `cost`, as a price that was given later, win over those of the runs. Raises
    UsageError when its `attribute_by` names a column that the input does not have.
    """
    summaries = run_records.summaries(db)
    if not summaries:
        return None
    spec = stored.read_spec(summaries[-1].spec)[0]
    settings = runs.cost_of(spec.model_dump(mode="json", by_alias=True), cost)
    _check(db, cost)
    starts = run_records.starts(db)
    every = runs.read(db, summaries, starts, cost)
    return _assemble(db, spec, summaries[-1], starts, every, settings)


def _assemble(
    db: Database,
    spec: JobSpec,
    last: RunSummary,
    starts: list[StartRecord],
    every: list[RunUsage],
    settings: CostSpec,
) -> Report:
    """The report of these runs. `spec` is that of the `last` one."""
    counts, plan = results.counts(db), plans.counts(db)
    paid = priced(every)
    worked = next((run for run in reversed(every) if run.requests), None)
    figures = answers.build(db, spec, plan.requests, plan.samples)
    last_costs, all_costs = costs.build(db, every, settings.listed_price)
    return Report(
        version=REPORT_VERSION,
        input=spec.input.name,
        output=spec.output,
        model=spec.model,
        rows_in=counts.rows_in,
        counts=counts,
        new_failures=failures.count_new(db, last.run),
        changes=_changes(db, last.run),
        cascade=stages.build(db, spec, every),
        answers=figures,
        calibration=calibration.build(db, spec),
        flags=flags.build(db),
        job_signs=flags.of_job(figures, spec),
        drift=_drift(db),
        made_by=made_by.sets(db),
        repeatability=_repeatability(spec, starts),
        reused=last.reused,
        requests=plan.requests,
        samples=plan.samples,
        control_token_rows=plan.control,
        ranking=_ranking(db, spec),
        cut_answers=results.cut_answers(db),
        reasoning_tokens=results.reasoning_tokens(db),
        duplicates=_duplicates(db, plan.duplicates, all_costs),
        currency=paid[-1].currency if paid else settings.currency,
        last_run=sum_up(every[-1:]),
        all_runs=sum_up(every),
        costs=last_costs,
        all_costs=all_costs,
        attribution=attribution.build(db, every, settings.attribute_by),
        speculation=SpeculationUse.of(every),
        limit=device_share.compare([worked], _last_engine(starts, worked)) if worked else None,
        resources=every[-1].resources,
        failures=[_failure(each) for each in results.failures(db)],
        skips=results.skips(db, _MOST_REASONS),
        rejects=results.reject_counts(db, _MOST_REASONS),
        input_notes=snapshot.source.notes if (snapshot := snapshots.newest(db)) else [],
        rows_by_attempts=results.rows_by_attempts(db),
        runs=every,
        engine=starts[-1].description if starts else None,
        constraint=_constraint(spec, starts),
        details=distributions.build(db, worked),
    )


def _changes(db: Database, run: int) -> Changes | None:
    found = editions.changes_of(db, run)
    return None if found is None else Changes.from_json(found)


def _drift(db: Database) -> Drift:
    """That of the rows that the store holds."""
    kept, snapshot = input_profiles.kept(db), snapshots.newest(db)
    is_current = kept and snapshot and kept[-1].digest == snapshot.source.digest
    return Drift.from_json(kept[-1].drift) if is_current else Drift()


def _repeatability(spec: JobSpec, starts: list[StartRecord]) -> list[str]:
    if not starts:
        return []
    info = EngineInfo.from_json(starts[-1].description)
    kind = info.hardware.kind if info.hardware else None
    return list(repeatability.notes(spec, kind, info.settings))


def _ranking(db: Database, spec: JobSpec) -> Ranking | None:
    best = output_file.best_of(spec)
    if best is None:
        return None
    found = ranking.rank(db, best)
    return Ranking(best.group_by, best.top, found.groups, found.kept, found.others)


def _constraint(spec: JobSpec, starts: list[StartRecord]) -> ConstraintUse | None:
    if spec.answer.constrain == "check":
        return ConstraintUse("", [])
    told = starts[-1].description.get("grammar") if starts else None
    return ConstraintUse(told["backend"], told["check_only"]) if told else None


def _check(db: Database, cost: CostSpec | None) -> None:
    """The columns of a run were checked before it began; the input may have changed since."""
    snapshot = snapshots.newest(db)
    if cost is not None and snapshot is not None:
        columns.check_attribution(cost.attribute_by, snapshot)


def _last_engine(starts: list[StartRecord], run: RunUsage) -> EngineInfo | None:
    """The description of the run's last engine."""
    own = [start for start in starts if start.run == run.run]
    return EngineInfo.from_json(own[-1].description) if own else None


def _duplicates(db: Database, rows: int, every: Costs) -> Duplicates:
    saved = next(saving for saving in every.savings if saving.by == "duplicates")
    answered = results.duplicates_answered(db)
    return Duplicates(rows, answered, saved.prompt_tokens, saved.output_tokens, saved.cost)


def _failure(count: FailureCount) -> FailureLine:
    kind = FAILURE_KINDS.get(count.kind)
    advice = kind.advice if kind else "see the messages in the error file"
    return FailureLine(count.kind, count.rows, count.example or "", advice)
