"""The records by which it is known what made the answers of each run."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from llmbatch.core.stored import json_table
from llmbatch.store import statements
from llmbatch.store.database import Database
from llmbatch.store.run_records import RECHECK_REASON


@dataclass(frozen=True, slots=True)
class RunMaking:
    """A run: its settings (`spec`, JSON text), the `version` of llmbatch, the identity of its model
    and of its adapters (`made_by`; empty in the records of older versions), its last engine's
    `description` of itself (empty if none was started), and the `rows` of the current plan that it
    answered."""

    run: int
    spec: str
    version: str
    made_by: Mapping[str, Any]
    description: Mapping[str, Any]
    rows: int


def of_runs(db: Database) -> list[RunMaking]:
    """Those of all runs, the oldest first. One that applied rules to stored answers has the model
    and the engine of the run before: it made none."""
    found: list[RunMaking] = []
    answered = {each["run"]: each["rows"] for each in db.recall(_query("answered_rows"))}
    for each in db.reread(_query("run_makings")):
        run, spec, version, made, described, reason = each.values()
        making = RunMaking(
            run, spec, version, json_table(made), json_table(described), answered.get(run, 0)
        )
        if found and (reason or "").startswith(RECHECK_REASON):
            before = found[-1]
            making = replace(making, made_by=before.made_by, description=before.description)
        found.append(making)
    return found


def _query(name: str) -> str:
    return statements.load("made_by.sql")[name]
