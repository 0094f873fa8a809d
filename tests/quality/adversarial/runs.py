"""The cases in real runs: the command line, the pipeline, and an engine that says the answers."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmbatch.notebook import calls
from llmbatch.store.flags import Flags
from llmbatch.store.opening import open_store
from tests.quality.adversarial import background
from tests.quality.adversarial.cases import FOLDER, Case, load

CAUGHT = FOLDER / "caught.json"
"""By the name of a case, what catches it as it ought to: held by the suite."""
ENGINE = "tests.scripted_engine:create"


@dataclass(frozen=True, slots=True)
class Flagged:
    """The names of what flagged each row of a run: of the cases by id, and of ordinary rows."""

    cases: Mapping[str, frozenset[str]]
    ordinary: tuple[frozenset[str], ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A case, the names of what flags its wrong answer, and of these (`caught`) what does not flag
    the right answer of the same row."""

    case: Case
    flags: frozenset[str]
    caught: frozenset[str]


Controls = Mapping[str, frozenset[str]]
"""The flags of the right answers of cases, by id."""


def outcomes(task: str, folder: Path, controls: Controls | None = None) -> list[Outcome]:
    """The cases of a task, answered wrongly. Without `controls` all flags of a case catch it."""
    cases = load(task)
    flagged = run(task, folder / f"{task}-wrong", [(case, case.wrong) for case in cases]).cases
    known = controls or {}
    return [
        Outcome(case, flagged[case.id], flagged[case.id] - known.get(case.id, frozenset()))
        for case in cases
    ]


def control(task: str, folder: Path) -> tuple[Controls, list[frozenset[str]]]:
    """The flags of the cases of a task, answered rightly, and those of all its right answers."""
    right = run(task, folder / f"{task}-right", [(case, case.right) for case in load(task)])
    return right.cases, [*right.ordinary, *right.cases.values()]


def run(task: str, folder: Path, answered: Iterable[tuple[Case, Any]]) -> Flagged:
    """Run the job of a task over ordinary rows and those of cases, each answered as given."""
    folder.mkdir(parents=True)
    rows = [({"id": str(n), **row}, given) for n, (row, given) in enumerate(background.pairs(task))]
    ordinary = len(rows)
    rows += [({"id": case.id, **case.row}, given) for case, given in answered]
    (folder / "in.jsonl").write_text("\n".join(json.dumps(row) for row, _ in rows))
    script = [[_marks(row), given if isinstance(given, str) else json.dumps(given)]
              for row, given in rows]  # fmt: skip
    (folder / "script.json").write_text(json.dumps(script))
    done = calls.run(
        str(folder / "in.jsonl"),
        job=FOLDER / f"{task}.toml",
        id_column="id",
        output=str(folder / "out.jsonl"),
        engine={"name": ENGINE, "script": str(folder / "script.json")},
    )
    assert done.exit_code == 0, done.reason
    return _flagged(folder, [row["id"] for row, _ in rows], ordinary)


def _flagged(folder: Path, names: list[str], ordinary: int) -> Flagged:
    """The flags in the store of a run over rows of these ids, the first so many ordinary ones."""
    with open_store(folder / "out.llmbatch" / "job.duckdb", read_only=True) as db:
        flags = Flags(db)
        of_rows = [
            frozenset(f"{flag.origin}:{flag.name}" for flag in flags.of(number))
            for number in range(1, len(names) + 1)
        ]
    cases = zip(names[ordinary:], of_rows[ordinary:], strict=True)
    return Flagged(dict(cases), tuple(of_rows[:ordinary]))


def _marks(row: Mapping[str, Any]) -> list[str]:
    """The texts of a row, which all stand in its prompt and in no other."""
    return [str(value) for name, value in row.items() if name != "id"]
