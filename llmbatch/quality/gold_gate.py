"""The gold set as a gate: the rows whose right answer is known, and whether their answers reach the
least figures of the job. All of it is found again from the stored answers."""

from collections.abc import Mapping
from dataclasses import dataclass

from llmbatch.core import interval
from llmbatch.core.errors import UsageError, nearest
from llmbatch.core.interval import Interval
from llmbatch.core.units import count
from llmbatch.job.spec import JobSpec
from llmbatch.store import gold_first
from llmbatch.store.database import Database
from llmbatch.store.gold_first import GoldStates

_FIGURES = ("accuracy",)


@dataclass(frozen=True, slots=True)
class LeastFigure:
    """A figure of the gold rows, with the least value that the lower bound of its 95 % interval has
    to reach."""

    name: str
    value: Interval
    least: float

    @property
    def is_reached(self) -> bool:
        """True if the lower bound is at least that."""
        return self.value.low >= self.least

    def __str__(self) -> str:
        value = self.value
        return f"{self.name} {value.expected:.3f} ({value.low:.3f} to {value.high:.3f})"


@dataclass(frozen=True, slots=True)
class GoldVerdict:
    """The judgement on the settled gold `rows`."""

    rows: int
    figures: list[LeastFigure]

    @property
    def missed(self) -> list[LeastFigure]:
        """The figures that are not reached."""
        return [each for each in self.figures if not each.is_reached]

    @property
    def text(self) -> str:
        """Figures, intervals and least values in a few words."""
        told = self.missed or self.figures
        sign = "below" if self.missed else "not below"
        each = (f"{figure}, its lower bound {sign} {figure.least:g}" for figure in told)
        return f"{'; '.join(each)}; of {count(self.rows, 'gold row')}"


def check(spec: JobSpec) -> None:
    """Raise UsageError for least figures that no gold set of this job could have."""
    least = spec.eval.min
    if spec.eval.first is not None and not least:
        raise UsageError(
            "--eval-first: say what these rows have to reach, too: --eval-min accuracy=0.95"
        )
    if least and spec.gold is None:
        raise UsageError("--eval-min: name the right answers, too: --eval-gold FILE|COLUMN")
    for name in least:
        if name not in _FIGURES:
            raise UsageError(
                f"--eval-min: no figure {name!r}{nearest(name, _FIGURES)}; of these answers there "
                f"are: {', '.join(_FIGURES)}"
            )


def take(db: Database, spec: JobSpec) -> GoldStates:
    """Take the gold rows of the current plan for `judge`, and count them. Raises UsageError where
    there are none, or too few to reach the least figures."""
    assert spec.gold is not None, "checked"
    gold_first.take(db, gold_first.rows_of_column(db, spec.gold))
    states = gold_first.states(db)
    if not states.asked:
        skipped = f" ({count(states.skipped, 'such row')} skipped)" if states.skipped else ""
        raise UsageError(f"eval.gold: no row of the input has something in {spec.gold!r}{skipped}")
    for name, least in spec.eval.min.items():
        _require_reachable(name, least, states.asked)
    return states


def _require_reachable(name: str, least: float, rows: int) -> None:
    best = interval.share(rows, rows).low
    if best >= least:
        return
    needed = next((n for n in _SIZES if interval.share(n, n).low >= least), None)
    more = "no number of them does" if needed is None else f"about {needed:,} do"
    raise UsageError(
        f"eval.min: {name} cannot reach {least:g} with {count(rows, 'gold row')}: if all are "
        f"right, its lower bound is {best:.4g}; {more}"
    )


_SIZES = [*range(1, 2_000), *range(2_000, 1_000_000, 1_000)]


def leeway(spec: JobSpec, rows: int) -> str:
    """The most wrong ones of so many rows that let the others run, in a few words."""
    least = spec.eval.min.get("accuracy")
    if least is None:
        return ""
    wrong = 0
    while wrong < rows and interval.share(rows - wrong - 1, rows).low >= least:
        wrong += 1
    return f" (with {wrong:,} of {rows:,} wrong at most)"


def judge(db: Database, spec: JobSpec) -> GoldVerdict:
    """The judgement on the gold rows that were taken, as far as they are settled."""
    assert spec.gold is not None, "checked"
    rows, right = gold_first.right_rows(db, spec.gold, has_fields=spec.task != "generate")
    figures: Mapping[str, Interval] = {"accuracy": interval.share(right, rows)}
    least = spec.eval.min
    return GoldVerdict(rows, [LeastFigure(name, figures[name], least[name]) for name in least])
