"""The records by which it is known what made the answers of each run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llmbatch.core.stored import json_table
from llmbatch.store import statements
from llmbatch.store.database import Database


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
    """Those of all runs, the oldest first."""
    return [
        RunMaking(run, spec, version, json_table(made), json_table(described), rows)
        for run, spec, version, made, described, rows in db.execute(
            statements.load("made_by.sql")["run_makings"]
        )
    ]
