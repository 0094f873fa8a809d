"""The cases: a row, its right answer, and a wrong one that could pass for it.

A line of `TASK.jsonl` has `id`, `row`, `right`, `wrong` (of an object its changed members alone),
`error` (the kind of error, in words), and `should`: the rules (`check:NAME`) and signs
(`sign:NAME`) that ought to catch it, written down before any was tried. An empty list says that
nothing can: the answer is as well formed, as grounded and as fluent as the right one, and wrong.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.quality.adversarial.background import TASKS

FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Case:
    """A wrong answer, beside the right one; `should`: what ought to catch it."""

    task: str
    id: str
    row: dict[str, Any]
    right: Any
    wrong: Any
    error: str
    should: tuple[str, ...]

    @property
    def name(self) -> str:
        return f"{self.task}: {self.id}"


def load(task: str) -> list[Case]:
    """The cases of a task, in the order of its file."""
    return [_case(task, json.loads(line)) for line in (FOLDER / f"{task}.jsonl").open()]


def all_cases() -> list[Case]:
    """The cases of all tasks."""
    return [case for task in TASKS for case in load(task)]


def _case(task: str, found: dict[str, Any]) -> Case:
    right, wrong = found["right"], found["wrong"]
    if isinstance(right, dict):
        wrong = right | wrong
    should = tuple(found["should"])
    return Case(task, found["id"], found["row"], right, wrong, found["error"], should)
