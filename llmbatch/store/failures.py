"""New failures, told from those that an earlier run has met and reported already."""

from dataclasses import dataclass

from llmbatch.store import statements
from llmbatch.store.database import Database


@dataclass(frozen=True, slots=True)
class NewFailures:
    """Failed rows and rejects that no run which came to its end has met before, among `worked`
    rows: those that were settled since, and new rejects."""

    failed: int = 0
    rejected: int = 0
    worked: int = 0

    @property
    def rows(self) -> int:
        return self.failed + self.rejected


def count_new(db: Database, run: int) -> NewFailures:
    """The failures that are new since the last run before `run` that came to its end."""
    since = int(db.scalar(_query("last_finished"), {"run": run}))
    db.execute(_query("stage_present"))
    ((failed, rejected),) = db.execute(_query("count_unknown"), {"since": since})
    settled = [each for each in db.recall(_query("settled_by_run")) if each["run"] > since]
    return NewFailures(
        failed + sum(each["failed"] for each in settled),
        rejected,
        failed + rejected + sum(each["settled"] for each in settled),
    )


def keep_known(db: Database, run: int) -> None:
    """Remember the failures that `run`, which comes to its end, has met; follows `count_new`."""
    db.execute(_query("stage_known"), {"run": run})
    with db.transaction():
        db.execute(_query("forget"))
        db.execute(_query("keep"))


def _query(name: str) -> str:
    return statements.load("failures.sql")[name]
