"""The usage of the stages of a cascade: rows by their state, tokens, time and money."""

from collections.abc import Sequence
from dataclasses import dataclass

from llmbatch.store import statements, usage_shares
from llmbatch.store.database import Database
from llmbatch.store.usage_shares import RunRates


@dataclass(frozen=True, slots=True)
class StageUsage:
    """A stage, counted from 0: the rows that came to it, those that ended there, answered or
    failed, and those that went on; tokens, device seconds and money of all tries of its
    requests."""

    stage: int
    asked: int
    answered: int
    failed: int
    escalated: int
    prompt_tokens: int
    output_tokens: int
    seconds: float
    cost: float


NOTHING = StageUsage(0, 0, 0, 0, 0, 0, 0, 0.0, 0.0)


def of_stages(db: Database, rates: Sequence[RunRates]) -> list[StageUsage]:
    """The stages of the current plan that have requests, the first one first, with what the runs
    of these `rates` took for them."""
    usage_shares.stage(db, rates)
    return db.values(StageUsage, statements.load("cascade.sql")["stage_usage"])
