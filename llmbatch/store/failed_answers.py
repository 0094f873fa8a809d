"""Answers that were not accepted, for the next try of their requests."""

from collections.abc import Sequence
from dataclasses import dataclass

from llmbatch.store.database import Database
from llmbatch.store.statements import query


@dataclass(frozen=True, slots=True)
class FailedAnswer:
    """The newest answer of a request that broke its form or a rule, and the `reason`."""

    key: str
    answer: str
    reason: str


def newest(db: Database, keys: Sequence[str]) -> list[FailedAnswer]:
    """Those of the requests with these keys (32 hex digits) that have one."""
    return db.values(FailedAnswer, query("failed_answers"), {"keys": list(keys)})
