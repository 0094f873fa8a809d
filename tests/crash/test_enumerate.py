"""The short form of `tests/crash/enumerate_kills.py`: every seventh sync and rename, every
other COMMIT.

`make test-crash` has all of them.
"""

from itertools import count
from pathlib import Path

import pytest

from tests.crash import enumerate_kills
from tests.crash.enumerate_kills import TURNING_POINTS, Enumeration
from tests.crash.tracer import At, Tracer


def test_a_kill_at_any_turning_point_does_not_show(tracer: Tracer, tmp_path: Path) -> None:
    enumeration = Enumeration(tracer, tmp_path)
    enumerate_kills.short(enumeration, step=7, commits=2)
    print(enumeration.tally.points)
    assert enumeration.tally.problems == []
    # Two nights, each with several checkpoints and two files to put in place.
    points = enumeration.tally.points
    assert points["sync"] >= 4
    assert points["rename"] >= 2
    assert points["statement"] >= 8


@pytest.mark.parametrize(
    ("task", "step"), [("embed", 13), ("score", 13), ("labels", 13), ("cascade", 21)]
)
def test_a_kill_during_another_task_does_not_show(
    tracer: Tracer, tmp_path: Path, task: str, step: int
) -> None:
    enumeration = Enumeration(tracer, tmp_path, task)
    for number, place in enumeration.events(1, TURNING_POINTS, numbers=count(5, step)):
        enumeration.finish(1, place, f"event {number}")
    for number, place in enumeration.events(2, TURNING_POINTS, numbers=count(9, step)):
        enumeration.finish(2, place, f"night 2, event {number}")
    assert enumeration.tally.problems == []
    assert enumeration.tally.total >= 4


def test_a_kill_of_the_resumed_run_does_not_show_either(tracer: Tracer, tmp_path: Path) -> None:
    enumeration = Enumeration(tracer, tmp_path)
    for number, place in enumeration.events(1, TURNING_POINTS, numbers=count(5, 15)):
        again = [At(event) for event in (3, 17, 33)]
        enumeration.again(1, place, f"sync or rename {number}", again)
    assert enumeration.tally.problems == []
    assert enumeration.tally.total > 6
