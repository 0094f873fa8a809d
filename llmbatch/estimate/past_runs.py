"""The earlier runs of a job, as far as they say something of the time of its next one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from llmbatch.core import step_cost
from llmbatch.core.interval import Interval
from llmbatch.core.speculation import Speculation
from llmbatch.core.step_cost import StepCost, StepMoments
from llmbatch.estimate.batching import StepCount
from llmbatch.job.spec import JobSpec
from llmbatch.store import run_records
from llmbatch.store.history import JobHistory, PastRun

# The newest runs say most: engines, machines and their load change.
_NEWEST = 8
# The share by which the next start may be beyond one, two, or more that are known.
_OF_STARTS = (0.5, 0.35, 0.25)


@dataclass(frozen=True, slots=True)
class PastRuns:
    """Runs that computed something with the job's model and engine, added up.

    `same_settings`: they had the engine's present options, too. `samples_only`: all were samples.
    `cost`: of a step, by the `moments` (None: unknown). `steps`, `computed` and `output` tokens,
    `seconds` of generation without idleness are those of runs that came to an end, if any did.
    `speculation`: what they drafted; `drafted_alike`: so will the next run.
    `rest`: seconds of generation that the cost of steps does not explain; at most as long as in
    the worst run, and idle besides. `start`, `stop`, `export`, `other`: seconds of these parts.
    """

    runs: Sequence[PastRun]
    same_settings: bool
    samples_only: bool
    drafted_alike: bool
    moments: StepMoments
    cost: StepCost | None
    steps: StepCount
    computed: float
    output: float
    seconds: float
    speculation: Speculation
    rest: Interval
    start: Interval | None
    stop: Interval | None
    export: Interval | None
    other: Interval | None

    @property
    def sequences_per_token(self) -> float:
        """Steps of a request for each of its output tokens: one, unless the engine guesses tokens
        ahead or does not count steps by tokens."""
        if not (self.output and self.steps.sequences):
            return 1.0
        return self.steps.sequences / self.output

    @property
    def sequences_per_token_without_drafts(self) -> float:
        """The same of an engine like theirs that does not guess."""
        if not (self.output and self.steps.sequences):
            return 1.0
        return (self.steps.sequences + self.speculation.accepted_tokens) / self.output


def from_history(past: JobHistory, spec: JobSpec, draft_tokens: int = 0) -> PastRuns | None:
    """The runs in `past` that count for `spec`; None if none of them computed with its engine.
    `draft_tokens`: that its engine drafts for a request in a step at most. Where none had its
    settings, those count that drafted as many, if there are some."""
    wanted = spec.model_dump(mode="json", by_alias=True)
    known = [
        run
        for run in past.runs
        if run.attempts
        and run.spec.get("model") == wanted["model"]
        and _options(run.spec).get("name") == wanted["engine"]["name"]
    ]
    same = [run for run in known if _options(run.spec) == _options(wanted)]
    alike = [run for run in known if len(_speculation(run).drafted) == draft_tokens]
    chosen = (same or alike or known)[-_NEWEST:]
    if not chosen:
        return None
    return _added_up(
        _without_samples(chosen),
        chosen,
        same_settings=bool(same),
        drafted_alike=bool(same or alike),
    )


def _without_samples(runs: Sequence[PastRun]) -> Sequence[PastRun]:
    """All but the samples, if other runs have done more: a sample never fills the batch."""
    whole = [run for run in runs if not is_sample(run)]
    sampled = sum(run.attempts for run in runs if is_sample(run))
    return whole if sum(run.attempts for run in whole) > sampled else runs


def is_sample(run: PastRun) -> bool:
    """True for a run of a sample (see `pipeline.run.sample`)."""
    return run_records.is_sample(run.reason)


def _options(spec: Mapping[str, Any]) -> dict[str, Any]:
    engine: Mapping[str, Any] = spec.get("engine") or {}
    return {name: value for name, value in engine.items() if value is not None}


def _added_up(
    runs: Sequence[PastRun], every: Sequence[PastRun], *, same_settings: bool, drafted_alike: bool
) -> PastRuns:
    """`runs`: those for generation; `every`: those for starts and ends, samples included."""
    moments = sum((_moments(run) for run in runs), StepMoments())
    cost = step_cost.fit(moments)
    ended, whole = ([run for run in some if run.timings.get("generate")] for some in (runs, every))
    return PastRuns(
        runs,
        same_settings,
        all(map(is_sample, runs)),
        drafted_alike,
        moments,
        cost,
        *(_work(ended) if ended else _work_of_steps(moments, _drafts(runs))),
        _drafts(ended or runs),
        _rest(ended, cost),
        _starts([run.timings["engine_start"] / run.starts for run in whole if run.starts]),
        _around([run.timings.get("engine_stop", 0.0) for run in whole], 0.7),
        _around([run.timings["export"] for run in whole if run.timings.get("export")], 0.6),
        _around([_other(run) for run in whole], 0.9),
    )


def _work(runs: Sequence[PastRun]) -> tuple[StepCount, float, float, float]:
    """Steps, computed and output tokens, and seconds of runs that came to an end."""
    output = _counted(runs, "output_tokens")
    return _steps(runs), sum(map(_computed, runs)), output, sum(map(_busy, runs))


def _work_of_steps(
    moments: StepMoments, drafts: Speculation
) -> tuple[StepCount, float, float, float]:
    """The same where all runs were killed, so that only their steps are known."""
    output = moments.s + drafts.accepted_tokens
    return StepCount(moments.steps, moments.s), moments.p, output, moments.t


def _drafts(runs: Sequence[PastRun]) -> Speculation:
    return sum(map(_speculation, runs), Speculation())


def _speculation(run: PastRun) -> Speculation:
    return Speculation.from_json(run.telemetry.get("speculation"))


def _moments(run: PastRun) -> StepMoments:
    return StepMoments.from_json(run.telemetry.get("moments"))


def _counted(runs: Sequence[PastRun], name: str) -> float:
    return sum(float(run.telemetry.get(name, 0)) for run in runs)


def _steps(runs: Sequence[PastRun]) -> StepCount:
    """The steps in the moments, which are all but the first ones; else those that were counted."""
    moments = sum((_moments(run) for run in runs), StepMoments())
    if moments.steps:
        return StepCount(moments.steps, moments.s)
    return StepCount(_counted(runs, "steps"), _counted(runs, "sequences"))


def _computed(run: PastRun) -> float:
    """Prompt tokens that the engine computed, those of preempted requests again."""
    telemetry = run.telemetry
    new = telemetry.get("prompt_tokens", 0) - telemetry.get("cached_tokens", 0)
    return float(new + telemetry.get("recomputed_tokens", 0))


def _busy(run: PastRun) -> float:
    """Seconds of generation in which the engine had something to do."""
    return max(0.0, run.timings["generate"] - float(run.telemetry.get("idle_seconds", 0.0)))


def _rest(runs: Sequence[PastRun], cost: StepCost | None) -> Interval:
    """Seconds of generation that come once: warming up, filling and draining."""
    if cost is None or not runs:
        return Interval.exactly(0.0)
    unexplained = []
    for run in runs:
        steps, sequences = (run.telemetry.get(name, 0) for name in ("steps", "sequences"))
        explained = cost.seconds(steps, sequences, _computed(run))
        unexplained.append(max(0.0, _busy(run) - explained))
    idle = median(float(run.telemetry.get("idle_seconds", 0.0)) for run in runs)
    return Interval(median(unexplained), 0.0, max(unexplained) * 1.5 + idle)


def _other(run: PastRun) -> float:
    """Seconds of a run that no part of it accounts for."""
    parts = ("prepare", "engine_start", "generate", "engine_stop", "export")
    return max(0.0, (run.seconds or 0.0) - sum(run.timings.get(name, 0.0) for name in parts))


def _starts(values: Sequence[float]) -> Interval | None:
    """Seconds of a start; measured starts of one job on a shared machine differ by half."""
    return _around(values, _OF_STARTS[min(len(values), len(_OF_STARTS)) - 1]) if values else None


def _around(values: Sequence[float], share: float) -> Interval | None:
    """The middle one, and a share beyond the least and the most of them."""
    if not values:
        return None
    return Interval(median(values), min(values) * (1 - share), max(values) * (1 + share))
