"""`llmbatch eval --cascade`: the threshold of a cascade, chosen by gold, and what it will cost."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from llmbatch.cli import console, find_job, reading
from llmbatch.cli.commands.export import last_spec
from llmbatch.core import units
from llmbatch.core.errors import UsageError
from llmbatch.core.interval import Interval
from llmbatch.quality import answers, cascade, stage_answers
from llmbatch.quality.answer_form import form_of
from llmbatch.quality.cascade import ThresholdChoice
from llmbatch.quality.gold_rows import GoldSource, Joining
from llmbatch.reports import report
from llmbatch.store import cascade as stored
from llmbatch.store import faults, snapshots

if TYPE_CHECKING:
    from llmbatch.accounting.stages import CascadeUse
    from llmbatch.job.spec import JobSpec
    from llmbatch.store.database import Database

FIGURE = "accuracy"


@dataclass(frozen=True, slots=True)
class ExpectedCost:
    """The cost of a row: of the first model, of the last, and of the cascade with the threshold, in
    `unit`: money or device seconds, of generation alone, without the starts of engines."""

    unit: str
    first: float
    last: float
    cascade: float

    @property
    def share(self) -> float:
        """The cost of the cascade as a share of that of the last model for all rows."""
        return self.cascade / self.last if self.last else 1.0


def target_of(text: str) -> float:
    """The accuracy that is wanted, of `accuracy=0.95`. Raises UsageError for anything else."""
    name, _, value = text.partition("=")
    try:
        wanted = float(value)
    except ValueError:
        wanted = -1.0
    if name.strip() != FIGURE or not 0 < wanted <= 1:
        raise UsageError(f"--target: write accuracy=SHARE, such as accuracy=0.95 (got {text!r})")
    return wanted


def deliver(job: Path, gold: GoldSource | None, target: str, *, is_json: bool) -> bool:
    """Show the threshold; True if the cascade reaches the target with it. Raises UsageError for a
    job that is no cascade of two models, or lacks answers or gold."""
    wanted = target_of(target)
    paths = find_job.find(job)
    with reading.opened(paths) as db, faults.understood(paths.store):
        find_job.require_plan(db, paths)
        spec = last_spec(db, paths)
        choice, used = _choose(db, spec, gold, wanted)
    cost = _expected(choice, used)
    if is_json:
        console.json(asdict(choice) | {"cost": None if cost is None else asdict(cost)})
    else:
        console.show(lines(choice, cost, spec))
    return choice.is_met


def _choose(
    db: "Database", spec: "JobSpec", gold: GoldSource | None, wanted: float
) -> "tuple[ThresholdChoice, CascadeUse | None]":
    if len(spec.stages) != 2 or spec.task != "classify":
        raise UsageError(
            "--cascade: chooses between the two models of [[model]] of a job with task classify; "
            f"this one has {len(spec.stages) or 1} and task {spec.task}"
        )
    source = gold or (GoldSource(spec.classify.gold) if spec.classify.gold else None)
    if source is None:
        raise UsageError("--gold: name a file of right answers, or the column that has them")
    snapshot, form = snapshots.newest(db), form_of(spec)
    columns = [] if snapshot is None else list(snapshot.source.columns)
    joining = Joining(source, form, columns, spec.id_column, input_name=spec.input.name)
    judged = list(joining.rows(answers.of_store(db, form, answers.STATES)))
    joining.adjust(judged)
    first, last = ({each.row: each for each in stored.answers(db, stage)} for stage in (0, 1))
    both = stage_answers.join(judged, first, last, form)
    made = report.build(db)
    return cascade.choose(both, wanted), None if made is None else made.cascade


def _expected(choice: ThresholdChoice, used: "CascadeUse | None") -> ExpectedCost | None:
    """The expected cost of a row; None where nothing was measured."""
    if used is None or not all(stage.asked for stage in used.stages):
        return None
    first, last = (stage.generating / stage.asked for stage in used.stages)
    return ExpectedCost(used.unit, first, last, first + choice.escalated.expected * last)


def lines(choice: ThresholdChoice, cost: ExpectedCost | None, spec: "JobSpec") -> Iterator[str]:
    """The choice in words."""
    small, large = (stage.model for stage in spec.stages)
    yield (
        f"rows       {choice.chosen_by:,} to choose the threshold by, {choice.measured_by:,} "
        "others to measure it by"
    )
    yield f"threshold  escalate_below = {choice.threshold:g}: {_reason(choice)}"
    yield f"accuracy   {_share(choice.accuracy)} of the cascade, by the other rows"
    yield f"           {_share(choice.first_alone)} of {small} alone"
    yield f"           {_share(choice.last_alone)} of {large} alone"
    yield f"goes on    {_share(choice.escalated)} of the rows go on to {large}"
    if cost is not None:
        yield f"cost       {_costs(cost, spec)}"
    reached = "reaches" if choice.is_met else "does not reach"
    yield f"target     the lower bound {reached} {units.share(choice.target)}"


def _reason(choice: ThresholdChoice) -> str:
    target = units.share(choice.target)
    if choice.is_sure is None:
        return f"no threshold reaches {target}; this one is the most accurate"
    of = (
        "the lower bound of the accuracy" if choice.is_sure else "the accuracy (its bound does not)"
    )
    return f"the lowest with which {of} reaches {target} by the first rows"


def _share(value: Interval) -> str:
    return f"{value.expected:.1%} ({value.low:.1%} to {value.high:.1%})"


def _costs(cost: ExpectedCost, spec: "JobSpec") -> str:
    def shown(value: float) -> str:
        if cost.unit == "money":
            return units.money(1000 * value, spec.cost.currency)
        return units.seconds(1000 * value)

    return (
        f"{shown(cost.cascade)} per 1,000 rows, {units.share(cost.share)} of {shown(cost.last)} "
        "for the last model alone, as measured, without the starts of engines"
    )
