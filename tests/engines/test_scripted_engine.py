"""The markers and options of the scripted engine, on which other tests build."""

from pathlib import Path
from typing import Any

import pytest

from llmbatch.core.errors import EngineError, UsageError
from llmbatch.core.outcomes import Completed, Lost, Outcome
from llmbatch.core.records import Request
from llmbatch.engines.config import EngineConfig
from tests.engines.vllm.requests import ask, choice
from tests.scripted_engine import ScriptedEngine, create


def engine(**options: Any) -> ScriptedEngine:
    return create(EngineConfig("m", options))


def one(request: Request) -> Outcome:
    with engine() as running:
        (outcome,) = running.run([request])
    assert not isinstance(outcome, Lost)
    return outcome


def test_a_cut_answer_is_the_beginning_of_the_whole_one() -> None:
    cut = one(ask("LENGTH:20", max_tokens=8))
    whole = one(ask("LENGTH:20", max_tokens=20))
    assert isinstance(cut, Completed)
    assert isinstance(whole, Completed)
    assert (cut.finish_reason, cut.usage.output) == ("length", 8)
    assert (whole.finish_reason, whole.usage.output) == ("stop", 20)
    assert whole.text.startswith(cut.text)


def test_a_cut_answer_breaks_its_constraint_and_a_whole_one_keeps_it() -> None:
    cut = one(ask("LENGTH:20", choice("billing", "refund"), max_tokens=8))
    whole = one(ask("LENGTH:20", choice("billing", "refund"), max_tokens=32))
    assert (cut.text, whole.text) == ("bil", "billing")


def test_without_a_length_it_is_always_cut() -> None:
    cut = one(ask("LENGTH", max_tokens=10**6))
    assert isinstance(cut, Completed)
    assert cut.finish_reason == "length"


def test_invalid_once_is_about_the_try_and_not_the_engine() -> None:
    assert one(ask("INVALID_ONCE", choice("a"))).text == "not a valid answer"
    assert one(ask("INVALID_ONCE", choice("a"))).text == "not a valid answer"
    assert one(ask("INVALID_ONCE", choice("a"), seed=1)).text == "a"
    assert one(ask("INVALID_ONCE", choice("a"), temperature=0.5)).text == "a"


def test_deaths_are_counted_over_engines(tmp_path: Path) -> None:
    options = {"die_after": 3, "die_times": 2, "counter": str(tmp_path / "counter")}
    answered = []
    for _ in range(3):
        answered.append(0)
        try:
            with engine(**options) as running:
                for _ in running.run(ask(f"row {number}") for number in range(10)):
                    answered[-1] += 1
        except EngineError:
            continue
    assert answered == [3, 3, 10]


def test_starts_fail_as_often_as_they_are_told(tmp_path: Path) -> None:
    counter = str(tmp_path / "counter")
    started = []
    for _ in range(5):
        try:
            with engine(start_failures=2, start_failures_after=1, counter=counter):
                started.append(True)
        except EngineError:
            started.append(False)
    assert started == [True, False, False, True, True]


@pytest.mark.parametrize("options", [{"start_failures": 1}, {"die_times": 1}])
def test_what_is_counted_needs_a_file(options: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="counter"):
        engine(**options)


@pytest.mark.parametrize("slots", [0, 2])
def test_a_request_is_lost_or_has_one_outcome(slots: int) -> None:
    requests = [ask("LOSE:3"), *(ask(f"row {number}") for number in range(5))]
    with engine(window=4, slots=slots) as running:
        events = list(running.run(requests))
        again = list(running.run([ask("LOSE_ONCE")] * 2))
    (lost,) = (event for event in events if isinstance(event, Lost))
    assert lost.keys == tuple(request.key for request in requests[:3])
    answered = [event.key for event in events if not isinstance(event, Lost)]
    assert sorted([*lost.keys, *answered]) == sorted(request.key for request in requests)
    assert [type(event) for event in again] == [Lost, Completed]
