"""Wrong but plausible answers over six tasks: what has been caught once is caught, by the same rule
or sign. `make verify-trust` prints the whole table, with the misses and the false alarms."""

import json
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from llmbatch.quality.signs.registry import SIGNS
from tests.quality.adversarial.background import TASKS
from tests.quality.adversarial.cases import FOLDER, all_cases, load
from tests.quality.adversarial.runs import CAUGHT, outcomes

NOTED: dict[str, list[str]] = json.loads(CAUGHT.read_text())


def names_of(task: str) -> set[str]:
    """The rules of this task's job, and the signs."""
    job = tomllib.loads((FOLDER / f"{task}.toml").read_text())
    rules = {f"check:{rule['name']}" for rule in job["check"]}
    return rules | {f"sign:{sign.name}" for sign in SIGNS}


def test_there_are_enough_cases_and_each_is_sound() -> None:
    cases = all_cases()
    assert len(TASKS) == 6
    assert len(cases) >= 60
    assert max(Counter(case.name for case in cases).values()) == 1
    for case in cases:
        assert case.wrong != case.right, case.name
        assert set(case.should) <= names_of(case.task), case.name
    assert NOTED.keys() <= {case.name for case in cases}
    # A set of which all were caught would have been chosen for it.
    assert any(not case.should for case in cases)


@pytest.mark.parametrize("task", TASKS)
def test_no_catch_is_lost(task: str, tmp_path: Path) -> None:
    flags = {one.case.name: one.flags for one in outcomes(task, tmp_path)}
    assert len(flags) == len(load(task))
    lost = {
        name: sorted(set(noted) - flags[name])
        for name, noted in NOTED.items()
        if name in flags and not set(noted) <= flags[name]
    }
    assert lost == {}
