"""The gold set as a gate: the rows whose right answer is known, and whether their answers reach the
least figures of the job. All of it is found again from the stored answers, and the figures are
those of `llmbatch eval`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from llmbatch.core import interval
from llmbatch.core.errors import UsageError
from llmbatch.core.exact_json import cell
from llmbatch.core.units import count
from llmbatch.job.gold_set import names_file
from llmbatch.job.spec import JobSpec
from llmbatch.quality import answer_form, answers, judging
from llmbatch.quality.answers import RowAnswer
from llmbatch.quality.evaluation import EvalOptions, Evaluation, Threshold
from llmbatch.quality.figures import GoldRow, Kind
from llmbatch.quality.gold_rows import GoldSource, Joining
from llmbatch.quality.record_figures import GoldRecord
from llmbatch.store import gold_first, results, snapshots
from llmbatch.store.database import Database
from llmbatch.store.gold_first import GoldStates

_ANY = "*"


@dataclass(frozen=True, slots=True)
class GoldVerdict:
    """The judgement on the settled gold `rows`: the least figures of the job, and the bounds of
    those that were found (low, high; None where there is nothing to tell them by)."""

    rows: int
    figures: list[Threshold]
    bounds: list[tuple[float | None, float | None]]

    @property
    def is_met(self) -> bool:
        """True if every figure reaches its least value."""
        return all(each.met for each in self.figures)

    @property
    def text(self) -> str:
        """Figures, intervals and least values in a few words: those that are not reached, if there
        are some."""
        pairs = [*zip(self.figures, self.bounds, strict=True)]
        told = [(each, bounds) for each, bounds in pairs if each.met == self.is_met]
        parts = (f"{_figure(each, bounds)}, {_held(each)}" for each, bounds in told)
        return f"{'; '.join(parts)}; of {count(self.rows, 'gold row')}"


def _figure(found: Threshold, bounds: tuple[float | None, float | None]) -> str:
    low, high = bounds
    if found.value is None or low is None or high is None:
        return f"{found.figure} of nothing"
    return f"{found.figure} {found.value:.3f} ({low:.3f} to {high:.3f})"


def _held(found: Threshold) -> str:
    return f"its lower bound {'reaches' if found.met else 'is below'} {found.least:g}"


def check(spec: JobSpec) -> None:
    """Raise UsageError for least figures that no gold set of this job could have."""
    least = spec.eval.min
    if spec.eval.first is not None and not least:
        raise UsageError(
            "--eval-first: say what these rows have to reach, too: --eval-min accuracy=0.95"
        )
    if not least:
        return
    if spec.gold is None:
        raise UsageError("--eval-min: name the right answers, too: --eval-gold FILE|COLUMN")
    whole = "vectors" if spec.task == "embed" else "ranks" if spec.task == "score" else None
    if whole is not None and (whole == "vectors" or any("ndcg" in name for name in least)):
        raise UsageError(
            f"--eval-min: figures of {whole} need all rows, so none can run first: leave it out, "
            "and judge them after the run by llmbatch eval --min"
        )


def source_of(spec: JobSpec) -> GoldSource:
    """The place of the job's right answers."""
    name = spec.gold
    assert name is not None, "checked"
    return GoldSource(name, Path(name) if names_file(name) else None, on=spec.eval.on)


@dataclass(frozen=True, slots=True)
class GoldTaken:
    """The gold rows of the current plan, counted, and the kind of figures that fits them all."""

    states: GoldStates
    kind: Kind


def take(db: Database, spec: JobSpec) -> GoldTaken:
    """Take the gold rows of the current plan for `judge`. Raises UsageError where there are none,
    or where no answers could reach the least figures."""
    found = _GoldSet(db, spec)
    gold = found.rows()
    gold_first.take(db, [row.row for row in gold])
    states = gold_first.states(db)
    if not states.asked:
        skipped = f" ({count(states.skipped, 'such row')} skipped)" if states.skipped else ""
        raise UsageError(f"eval.gold: no row of the input has something in {spec.gold!r}{skipped}")
    first = gold[: max(states.settled, min(spec.eval.rows_first, states.asked))]
    kind, best = found.best(first, found.kinds_of(gold))
    _require_reachable(best.thresholds, len(first), states)
    return GoldTaken(states, kind)


def judge(db: Database, spec: JobSpec, kind: Kind) -> GoldVerdict:
    """The judgement on the gold rows that were taken, as far as they are settled."""
    form = answer_form.form_of(spec)
    rows = results.of_rows(db, gold_first.settled(db))
    evaluation = _GoldSet(db, spec).evaluate((answers.of_row(row, form) for row in rows), kind)
    known = evaluation.every_figure()
    bounds = [(known[each.figure].low, known[each.figure].high) for each in evaluation.thresholds]
    return GoldVerdict(evaluation.counts.judged, evaluation.thresholds, bounds)


class _GoldSet:
    """The right answers of a job, beside the rows of its input."""

    def __init__(self, db: Database, spec: JobSpec) -> None:
        snapshot = snapshots.newest(db)
        self._db, self._spec = db, spec
        self._form = answer_form.form_of(spec)
        self._columns = snapshot.source.columns if snapshot else []
        self._source = source_of(spec)

    def rows(self) -> list[GoldRow]:
        """The rows of the input that have a right answer, each as if it had failed."""
        joining = Joining(
            self._source,
            self._form,
            self._columns,
            self._spec.id_column,
            input_name=self._spec.input.name,
            is_record=self._form.is_json,
        )
        return [*joining.rows(self._unanswered())]

    def _unanswered(self) -> Iterator[RowAnswer]:
        name, only = self._source.name, None
        if self._source.path is None and _ANY not in name:
            only = gold_first.rows_of_column(self._db, name)
        for row, id, line, data in gold_first.rows_of_input(self._db, only):
            yield RowAnswer(row, id, line, "failed", data, why=("", ""))

    def kinds_of(self, rows: Sequence[GoldRow]) -> list[Kind]:
        """The kinds of figures that could be meant, the best first, whatever the answers will be.
        Texts of few kinds may be labels, and labels texts: the figures that are named decide."""
        others: tuple[Kind, ...] = ("label", "text") if self._form.kind in ("text", None) else ()
        return [*dict.fromkeys([judging.kind_of(self._form, rows), *others])]

    def best(self, gold: Sequence[GoldRow], kinds: Sequence[Kind]) -> tuple[Kind, Evaluation]:
        """The first of these kinds of figures that has the least ones, and what they are if each
        of the rows has its right answer. Raises UsageError if none has."""
        faults = []
        for kind in kinds:
            try:
                return kind, self.evaluate(self.answered_rightly(gold), kind)
            except UsageError as error:
                faults.append(error)
        raise faults[0]

    def answered_rightly(self, gold: Sequence[GoldRow]) -> Iterator[RowAnswer]:
        """These rows, each with its right answer for an answer."""
        rows = gold_first.rows_of_input(self._db, [row.row for row in gold])
        for row, (_, _, _, data) in zip(gold, rows, strict=True):
            answer = row.gold.fields if isinstance(row.gold, GoldRecord) else row.gold
            place = (row.row, row.id, row.line, answers.ANSWERED, data)
            yield RowAnswer(*place, text=cell(answer), response=answer)

    def evaluate(self, rows: Iterator[RowAnswer], kind: Kind) -> Evaluation:
        """The figures of answers, held to the least ones. Raises UsageError for those that answers
        of this kind do not have."""
        group_by = self._spec.score.group_by if self._spec.task == "score" else None
        judged = judging.evaluate(
            rows,
            self._form,
            EvalOptions(self._source, kind, group_by=group_by),
            self._columns,
            self._spec.id_column,
            input_name=self._spec.input.name,
        )
        try:
            return judged.evaluation.with_thresholds(self._spec.eval.min)
        except UsageError as error:
            raise UsageError(str(error).replace("--min", "--eval-min", 1)) from error


def _require_reachable(best: Sequence[Threshold], rows: int, states: GoldStates) -> None:
    """Raise UsageError if a figure is too low where every answer is right."""
    for each in best:
        if not each.met:
            low = 0.0 if each.low is None else each.low
            raise UsageError(
                f"--eval-min: {each.figure} cannot reach {each.least:g} with "
                f"{count(rows, 'gold row')}: if all are right, its lower bound is {low:.4g}"
                f"{_more(each, rows, states)}"
            )


def _more(each: Threshold, rows: int, states: GoldStates) -> str:
    """A few words on the rows that it takes."""
    needed = next((n for n in _SIZES if interval.share(n, n).low >= each.least), None)
    if needed is None:
        return "; no number of rows is enough"
    if needed <= rows:
        return ""
    return f"; {'--eval-first' if needed <= states.asked else 'it takes'} {needed:,}"


_SIZES = [*range(1, 2_000), *range(2_000, 1_000_000, 1_000)]


def leeway(spec: JobSpec, rows: int) -> str:
    """The most wrong ones of so many rows that let the others run, in a few words."""
    least = spec.eval.min.get("accuracy")
    if least is None or interval.share(rows, rows).low < least:
        return ""
    wrong = 0
    while wrong < rows and interval.share(rows - wrong - 1, rows).low >= least:
        wrong += 1
    return f" (with {wrong:,} of {rows:,} wrong at most)"
