"""The stages of a cascade in the store: which rows are planned for which of its models.

A row is planned for one stage at a time. When its answer there does not do, it leaves the stage for
the next one; what it leaves behind is an escalation. All of it follows from the plan and the
answers, and is made again of them (`rewind`, then `extend`).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from llmbatch.store import long_texts, plans, statements
from llmbatch.store.database import Database
from llmbatch.store.plans import Adoption, Plan
from llmbatch.store.rendered_rows import RenderedRow

_WINDOW = 20_000
ALL = float("inf")
"""The confidence under which all answers are: each row goes through all stages."""


@dataclass(frozen=True, slots=True)
class StoredStage:
    """A stage as the plan has it. `digest`: of all that its requests have in common;
    `escalate_below`: the confidence under which an answer goes on to the next stage, None: only
    failures do."""

    stage: int
    digest: str
    escalate_below: float | None
    is_last: bool


def stages(db: Database) -> list[StoredStage]:
    """The stages of the current plan, the first one first; none for a job of one model."""
    return db.values(StoredStage, _query("stages"))


def declare(db: Database, plan: int, wanted: Sequence[StoredStage], *, anew: bool = False) -> None:
    """Let the plan have these stages. If they differ from those that it has, or with `anew`, all
    rows are back at the first one."""
    are_whole = all(_is_whole(db, plan, each.stage) for each in wanted if each.stage)
    if stages(db) == list(wanted) and are_whole and not anew:
        return
    with db.transaction():
        _rewind(db)
        db.execute("DELETE FROM cascade_stages")
        for each in wanted:
            values = [plan, each.stage, each.digest, each.escalate_below, each.is_last]
            db.execute("INSERT INTO cascade_stages VALUES (?, ?, ?, ?, ?)", values)


def rewind(db: Database) -> None:
    """Bring all rows back to the first stage."""
    with db.transaction():
        _rewind(db)


def _rewind(db: Database) -> None:
    for name in ("forget_later_rows", "return_rows", "forget_later_requests"):
        db.execute(_query(name))
    db.execute("DELETE FROM escalations")


def _is_whole(db: Database, plan: int, stage: int) -> bool:
    """True if all long messages of a stage are there, or it has none."""
    size = db.scalar(_query("long_texts_of_stage"), {"stage": stage})
    return long_texts.is_whole(db.texts, plans.texts_of(stage), plan, size)


def going_on(db: Database) -> int | None:
    """The lowest stage of which rows go on to the next one; None if no row does."""
    found: int | None = db.scalar(_query("going_on"))
    return found


def rows_at(db: Database, stage: int) -> int:
    """The rows that are at this stage."""
    return int(db.scalar(_query("rows_at_stage"), {"stage": stage}))


def rows_going_on(db: Database, stage: int) -> Iterator[Sequence[int]]:
    """The rows that go on from this stage, in ascending order, in windows."""
    rows = db.integers(_query("rows_going_on").format(stage=stage))
    for first in range(0, len(rows), _WINDOW):
        yield rows[first : first + _WINDOW]


def highest(db: Database) -> int:
    """The highest stage that has requests."""
    return int(db.scalar(_query("highest_stage")))


@dataclass(frozen=True, slots=True)
class StageAnswer:
    """The answer of a stage to a row, None where it failed."""

    row: int
    stage: int
    answer: str | None


def answers(db: Database, stage: int) -> list[StageAnswer]:
    """The rows that this stage was asked for, as far as it is done with them."""
    return db.values(StageAnswer, _query("stage_answers"), {"stage": stage})


def extend(
    db: Database,
    plan: Plan,
    stage: int,
    batches: Iterable[list[RenderedRow]],
    repetition_key: Callable[[str, int], str] | None,
    adoption: Adoption | None = None,
) -> int:
    """Let the rows of `batches` leave the stage before for `stage`, in one transaction; see
    `plans.replace`. Returns the number of rows whose answer was found under another key."""
    texts = (plans.texts_of(stage), plan.plan)
    staged = plans.stage_rendered(db, texts, batches, repetition_key, adoption)
    first = int(db.scalar("SELECT coalesce(max(position) + 1, 0) FROM requests"))
    with db.transaction():
        db.execute(_query("escalate"))
        db.execute(_query("leave_stage"))
        place = {"plan": plan.plan, "stage": stage}
        db.execute(_query("enter_stage"), place)
        db.execute(_query("plan_stage_requests"), place | {"first": first})
    plans.drop_rendered(db)
    return staged.adopted


def _query(name: str) -> str:
    return statements.load("cascade.sql")[name]
