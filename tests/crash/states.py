"""The content of a store, to compare it with the legal states."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from llmbatch.store import results
from llmbatch.store.opening import open_store

Records = frozenset[tuple[Any, ...]]

_ROWS = (
    "SELECT 'row', line, id, data FROM rows UNION ALL SELECT 'reject', line, '', raw FROM rejects"
)
# As it was made: what later stages of a cascade ask follows from the answers.
_PLANNED = (
    "SELECT row, CAST(key AS VARCHAR), kind, message FROM planned_rows WHERE stage = 0"
    " UNION ALL SELECT row, CAST(key AS VARCHAR), NULL, message FROM escalations WHERE stage = 0"
)
_STAGES = "SELECT row, stage, CAST(key AS VARCHAR) FROM planned_rows"
_ATTEMPTS = (
    "SELECT replace(CAST(key AS VARCHAR), '-', ''), attempt, verdict, kind, message,"
    " finish_reason, answer FROM attempts"
)
_TWICE = "SELECT count(*) - count(DISTINCT key) FROM attempts WHERE verdict <> 'retry'"


@dataclass(frozen=True)
class State:
    """The content of a store, without times and numbers of runs. Empty: there is no store."""

    rows: Records = frozenset()
    planned: Records = frozenset()
    attempts: Records = frozenset()
    stages: Records = frozenset()
    violations: dict[str, int] = field(default_factory=dict)

    @classmethod
    def read(cls, store: Path) -> Self:
        """Look into a store without changing it."""
        if not store.exists():
            return cls()
        with open_store(store, read_only=True) as db:
            broken = {name: count for name, count in results.violations(db).items() if count}
            if twice := db.scalar(_TWICE):
                broken["settled_twice"] = twice
            rows, planned, attempts, stages = (
                frozenset(db.execute(sql)) for sql in (_ROWS, _PLANNED, _ATTEMPTS, _STAGES)
            )
            return cls(rows, planned, attempts, stages, broken)

    def settled(self) -> set[str]:
        """Keys that need not be computed again."""
        return {attempt[0] for attempt in self.attempts if attempt[2] != "retry"}
