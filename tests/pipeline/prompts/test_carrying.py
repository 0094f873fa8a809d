"""A plan into which rows are carried over is that of a fresh store, record for record."""

import random
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from llmbatch.job.folder import JobPaths
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.prompts import planner, ready_job
from llmbatch.pipeline.rows import ingest
from llmbatch.store import results
from llmbatch.store.database import Database
from llmbatch.store.opening import open_store

Rows = list[dict[str, Any]]
TEXTS = ("hello", "good day", "bye", "", "x" * 40, "déjà vu", "hello", '"quoted"', "y" * 17_000)
TABLES = {
    "rows": "row, line, id, data, file",
    "planned_rows": "row, key, kind, message, sample, samples, stage",
    "requests": "position, key, copies, messages, body, text_bytes, sample, row_share, stage",
}
SETTINGS: Mapping[str, dict[str, Any]] = {
    "plain": {},
    "records": {"prompt": "Sum up {{ record }}"},
    "required": {"require": ["t"]},
    "failing": {"prompt": "{{ t }} {{ 1 // (t | length) }}", "ask_empty": True},
    "labels": {"task": "classify", "classify": {"labels": ["a", "b"]}},
    "ids": {"id_column": "n"},
    "some": {"input_more": {"limit": 12}},
    "each": {"duplicates": "each"},
    "samples": {"sampling": {"samples": 2, "temperature": 1.0, "seed": 3}},
}
CARRIED = {"plain", "records", "required", "failing", "labels", "ids", "some"}


class Store:
    """The store of a job, planned night after night."""

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        folder.mkdir()
        self.input = folder / "in.jsonl"
        self.input.write_text('{"t": ""}\n')
        given = {"files": [str(self.input)]} | settings.get("input_more", {})
        table = {"input": given, "output": "o.jsonl", "model": "m", "prompt": "Say {{ t }}"}
        table |= {name: value for name, value in settings.items() if name != "input_more"}
        self.paths = JobPaths(folder)
        self.job = replace(ready_job.make(JobSpec.model_validate(table)), paths=self.paths)
        self.db = open_store(self.paths.store)
        self.db.remember()

    def plan(self, rows: Rows) -> dict[str, list[tuple[Any, ...]]]:
        self.input.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
        snapshot = ingest.ingest(self.db, self.job.input, self.paths.spool)
        planner.plan(self.db, self.job, snapshot, {"model": "m"})
        assert not any(results.violations(self.db).values())
        return contents(self.db)

    def carried(self) -> int:
        """The rows that were not rendered in the last plan."""
        return int(self.db.scalar("SELECT count(*) FROM rows")) - int(
            self.db.scalar("SELECT count(*) FROM other_rows")
        )


def contents(db: Database) -> dict[str, list[tuple[Any, ...]]]:
    return {
        table: sorted(db.execute(f"SELECT {columns} FROM {table}"), key=repr)
        for table, columns in TABLES.items()
    }


def another(rows: Rows, chance: random.Random) -> Rows:
    """The rows after a day: some inserted, deleted, edited, doubled, in another order."""
    found = [dict(row) for row in rows]
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(found) + 1)
        new = {"n": str(chance.randint(0, 99)), "t": chance.choice(TEXTS)}
        at = min(place, len(found) - 1)
        match chance.randrange(5) if len(found) > 2 else 0:
            case 0:
                found.insert(place, new)
            case 1:
                found.pop(at)
            case 2:
                found[at].update(new)
            case 3:
                found.append(dict(found[at]))
            case _:
                chance.shuffle(found)
    return found


@pytest.mark.parametrize("name", SETTINGS)
def test_is_as_made_anew(tmp_path: Path, name: str) -> None:
    chance = random.Random(name)
    rows = [{"n": str(number), "t": TEXTS[number % len(TEXTS)]} for number in range(20)]
    nightly = Store(tmp_path / "nightly", SETTINGS[name])
    nightly.plan(rows)
    carried = 0
    for night in range(3):
        rows = another(rows, chance)
        found = nightly.plan(rows)
        fresh = Store(tmp_path / f"fresh{night}", SETTINGS[name])
        assert found == fresh.plan(rows)
        fresh.db.close()
        carried += nightly.carried() if name in CARRIED else 0
    assert (carried > 0) == (name in CARRIED)
    nightly.db.close()
