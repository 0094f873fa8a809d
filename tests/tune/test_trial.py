"""One engine over a sample: its figures, or in one line why there are none."""

import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

import pytest

from llmbatch.core.outcomes import Outcome
from llmbatch.core.records import Request
from llmbatch.engines.config import EngineConfig
from llmbatch.pipeline.run.stop_request import StopRequest
from llmbatch.tune.trial import Trial, TrialFailure, TrialFigures
from tests.engines.vllm.requests import ask
from tests.scripted_engine import Options, ScriptedEngine
from tests.workbench import engine

PARTS = [[ask(f"part {part} text {n}") for n in range(5)] for part in range(3)]


def run(one: ScriptedEngine, parts: list[list[Request]] = PARTS, limit: float = 30.0,
        stop: StopRequest | None = None) -> TrialFigures | TrialFailure:  # fmt: skip
    return Trial(one, parts, limit, stop or StopRequest()).run()


def test_figures_are_those_of_the_measured_parts() -> None:
    found = run(engine(delay=0.02, start_delay=0.1))
    assert isinstance(found, TrialFigures)
    assert 0.1 <= found.start_seconds < found.seconds
    assert [part.requests for part in (found.warm_up, *found.parts)] == [5, 5, 5]
    assert all(part.seconds >= 5 * 0.02 for part in found.parts)
    total = found.total
    assert total.tokens == 10 * (4 + 2)  # words of the prompts and of the answers
    assert total.tokens_per_second == pytest.approx(60 / total.seconds)
    assert total.requests_per_second == pytest.approx(10 / total.seconds)
    assert (total.failed, found.preemptions) == (0, 0)
    assert found.info.name == "scripted"


def test_each_request_is_computed_once(tmp_path: Path) -> None:
    run(engine(ledger=str(tmp_path / "ledger")))
    keys = (tmp_path / "ledger").read_text().split()
    assert sorted(keys) == sorted(request.key for part in PARTS for request in part)


def test_an_engine_that_does_not_start() -> None:
    assert run(engine(start_error="out of\nmemory")) == TrialFailure("out of memory")


def test_an_engine_that_dies() -> None:
    assert run(engine(die_after=7)) == TrialFailure("engine died: scripted after 7 answers")


def test_an_engine_that_answers_nothing() -> None:
    found = run(engine(max_model_len=2))
    message = "prompt has 4 tokens, the context length is 2"
    assert found == TrialFailure(f"every request failed: {message}")


def test_requests_that_fail_are_counted() -> None:
    parts = [PARTS[0], [*PARTS[1], ask("FAIL:refused_request now")], PARTS[2]]
    found = run(engine(), parts)
    assert isinstance(found, TrialFigures)
    assert (found.total.failed, found.total.requests) == (1, 11)
    assert found.total.message == "scripted failure"


def test_an_engine_that_hangs_is_ended() -> None:
    began = time.monotonic()
    found = run(engine(), [[*PARTS[0], ask("STALL please")], *PARTS[1:]], limit=0.5)
    assert found == TrialFailure("did not finish in its share of the budget, 0.5 s")
    assert time.monotonic() - began < 5


def test_an_engine_that_does_not_start_in_time_is_ended() -> None:
    began = time.monotonic()
    found = run(engine(start_delay=60), limit=0.5)
    assert found == TrialFailure("did not start in its share of the budget, 0.5 s")
    assert time.monotonic() - began < 5


def test_a_stop_ends_the_engine() -> None:
    stop = StopRequest()
    threading.Timer(0.3, stop.request, ["stopped by a signal"]).start()
    began = time.monotonic()
    assert run(engine(delay=1.0), stop=stop) == TrialFailure("stopped by a signal")
    assert time.monotonic() - began < 5


class Deaf(ScriptedEngine):
    """Does not hear that it is closed."""

    def __enter__(self) -> Self:
        time.sleep(3)
        return self


def test_who_signals_twice_does_not_wait_for_a_deaf_engine() -> None:
    stop = StopRequest()
    stop.at_once = True
    stop.request("stopped by a signal")
    deaf = Deaf(EngineConfig("m"), Options())
    assert run(deaf, stop=stop) == TrialFailure("stopped by a signal", engine_left=True)


class Buggy(ScriptedEngine):
    """Has a bug."""

    def run(self, requests: Iterable[Request]) -> Iterator[Outcome]:
        raise LookupError("a bug")


def test_a_bug_is_no_result() -> None:
    with pytest.raises(LookupError, match="a bug"):
        run(Buggy(EngineConfig("m"), Options()))
