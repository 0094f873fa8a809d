"""Two sides compared, as a value: jobs, runs of jobs, or output files."""

from collections.abc import Mapping
from dataclasses import dataclass

from llmbatch.accounting.usage import sum_up
from llmbatch.quality.churn import Churn, FieldComparison, VectorComparison
from llmbatch.quality.shift import Test
from llmbatch.reports.report import Report
from llmbatch.store.pairs import AnswerCounts, KindCount, MatchCounts

COMPARISON_VERSION = 1


@dataclass(frozen=True, slots=True)
class Work:
    """The work of all runs of a job, or of one. `cost`: None without a price; `flags`: rows by the
    name of the flag, as they are now."""

    runs: int
    requests: int
    prompt_tokens: int
    cached_tokens: int
    output_tokens: int
    seconds: float
    generate_seconds: float
    rows_per_second: float | None
    output_tokens_per_second: float | None
    cost: float | None
    currency: str
    flags: dict[str, int]


@dataclass(frozen=True, slots=True)
class Side:
    """A side: its `name` as it was given, its rows by state, and `work`, None for a file alone; of
    a run of a job that run's own, though others before may have answered rows, too."""

    name: str
    model: str | None
    rows: int
    answered: int
    failed: int
    skipped: int
    pending: int
    work: Work | None


@dataclass(frozen=True, slots=True)
class Matching:
    """The matching of rows: `by` the values of these columns, or by their places (none)."""

    by: list[str]
    counts: MatchCounts


@dataclass(frozen=True, slots=True)
class GoldComparison:
    """The pairs whose right answer is known, and the shares of right ones with their intervals;
    `only_a`: those that are right on that side alone. `test`: McNemar's."""

    gold: str
    rows: int
    a: Churn
    b: Churn
    only_a: int
    only_b: int
    test: Test


@dataclass(frozen=True, slots=True)
class Limit:
    """The most churn that was allowed of a field, or of whole answers (None), and what it was."""

    field: str | None
    most: str
    churn: Churn
    is_kept: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two sides, `a` the former one. `churn`: the answers to the same input that are others;
    `answers`: all counts of answers; `vectors`: None where answers are none; `gold`: None without
    right answers; `limits`: those that were asked for."""

    version: int
    a: Side
    b: Side
    matching: Matching
    answers: AnswerCounts
    churn: Churn
    fields: list[FieldComparison]
    vectors: VectorComparison | None
    gold: GoldComparison | None
    failures: list[KindCount]
    limits: list[Limit]

    @property
    def broken(self) -> list[Limit]:
        """The limits that are not kept."""
        return [each for each in self.limits if not each.is_kept]


def side(name: str, states: Mapping[str, int], report: Report | None, run: int | None) -> Side:
    """A side with its rows by state; `report`: of its job, if it has one; `run`: the
    one after which it is looked at."""
    return Side(
        name=name,
        model=None if report is None else report.model,
        rows=sum(states.values()),
        answered=states.get("answered", 0),
        failed=states.get("failed", 0),
        skipped=states.get("skipped", 0),
        pending=states.get("pending", 0),
        work=None if report is None else _work(report, run),
    )


def _work(report: Report, run: int | None) -> Work:
    used = report.all_runs
    if run is not None:
        used = sum_up([each for each in report.runs if each.run == run])
    return Work(
        runs=used.runs,
        requests=used.requests,
        prompt_tokens=used.prompt_tokens,
        cached_tokens=used.cached_tokens,
        output_tokens=used.output_tokens,
        seconds=used.seconds,
        generate_seconds=used.generate_seconds,
        rows_per_second=used.rows_per_second_steady,
        output_tokens_per_second=used.output_tokens_per_second_steady,
        cost=used.cost,
        currency=report.currency,
        flags=_flags(report) if run is None else {},
    )


def _flags(report: Report) -> dict[str, int]:
    """The rows with each flag, by name."""
    return {each.name: each.rows for figures in report.flags for each in figures.names}
