"""Checkpoints grow with the speed of the engine, and never wait for more than they may."""

from typing import Any

import pytest

from llmbatch.core import clock
from llmbatch.core.outcomes import Verdict
from llmbatch.job.run_settings import RunSpec
from llmbatch.pipeline.run import checkpoint_pace
from llmbatch.pipeline.run.checkpoint_pace import OUTCOMES, CheckpointPace
from llmbatch.store.runs import Attempt


class Watch:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.at = 100.0

    def seconds(self) -> float:
        return self.at


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    made = Watch()
    monkeypatch.setattr(clock, "seconds", made.seconds)
    return made


def attempt(answer: str | None = "a", reasoning: str | None = None) -> Attempt:
    return Attempt("key", 1, Verdict.ANSWERED, None, None, "stop", answer, 1, 0, 1, reasoning)


def settled(pace: CheckpointPace, number: int, **fields: Any) -> int:
    """The outcomes, of so many, that had come when a checkpoint was due; 0: none was."""
    for index in range(number):
        pace.count(attempt(**fields))
        if pace.is_due:
            assert pace.is_full
            return index + 1
    return 0


def test_a_slow_engine_has_no_more_than_256_at_risk(watch: Watch) -> None:
    pace = CheckpointPace(RunSpec())
    watch.at += 0.5
    assert settled(pace, 10_000) == OUTCOMES


def test_a_fast_engine_waits_a_tenth_of_a_second(watch: Watch) -> None:
    pace = CheckpointPace(RunSpec())
    watch.at += 0.09
    assert settled(pace, 5000) == 0
    watch.at += 0.02
    assert pace.is_full
    pace.begin()
    assert settled(pace, 5000) == 0


def test_a_given_number_holds_at_any_speed(watch: Watch) -> None:
    pace = CheckpointPace(RunSpec(checkpoint_rows=300))
    assert settled(pace, 10_000) == 300


@pytest.mark.parametrize("field", ["answer", "reasoning"])
def test_long_texts_are_not_waited_for(watch: Watch, field: str) -> None:
    pace = CheckpointPace(RunSpec())
    long = "x" * (checkpoint_pace._CHARACTERS // 300)
    assert settled(pace, 5000, **{field: long}) in range(OUTCOMES, 302)


def test_what_waits_long_is_due_however_little_it_is(watch: Watch) -> None:
    pace = CheckpointPace(RunSpec(checkpoint_seconds=2))
    watch.at += 3
    assert not pace.is_due  # nothing waits
    pace.begin()
    pace.count(attempt())
    watch.at += 1.9
    assert not pace.is_due
    watch.at += 0.2
    assert pace.is_due
    assert not pace.is_full
