"""The engine protocol, clause by clause (see `llmbatch.engines.base.Engine`), for each engine.

What ends an engine is tried here on the scripted one alone: two vLLMs do not fit into one
process. For vLLM see tests/engines/vllm/test_death.py and tests/engines/vllm/test_lives.py.
"""

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import psutil
import pytest

from llmbatch.core.errors import EngineError, UsageError
from llmbatch.core.outcomes import FAILURE_KINDS, Completed, Failed, Lost, Outcome, Usage
from llmbatch.core.records import Constraint, Request, Sampling
from llmbatch.engines.base import Engine, EngineConfig, Telemetry
from llmbatch.engines.info import EngineInfo
from llmbatch.engines.registry import load
from llmbatch.engines.vllm.engine import VllmEngine
from tests.engines.vllm import session
from tests.engines.vllm.requests import ask, choice, schema


@dataclass(frozen=True)
class Subject:
    """An engine under test: running, and how to make others like it."""

    running: Engine
    create: Callable[[EngineConfig], Engine]
    config: EngineConfig
    window: int
    answer_option: dict[str, Any]
    neutral_option: dict[str, Any]

    def configured(self, options: dict[str, Any]) -> EngineConfig:
        return EngineConfig(self.config.model, {**self.config.options, **options})


@pytest.fixture(scope="session")
def scripted() -> Iterator[Subject]:
    options = {"window": 8, "max_model_len": 256, "order": "shuffle"}
    config = EngineConfig("scripted", options)
    create = load("tests.scripted_engine:create")
    with create(config) as engine:
        yield Subject(engine, create, config, 8, {"variant": "other"}, {"window": 3})


@pytest.fixture(scope="session")
def vllm() -> Iterator[Subject]:
    engine, config = session.started()
    answers, neutral = {"dtype": "float32"}, {"block-size": "64"}
    yield Subject(engine, load("vllm"), config, session.WINDOW, answers, neutral)
    session.stop()


@pytest.fixture
def vllm_public(vllm: Subject) -> Iterator[Subject]:
    """The same vLLM, driven by its own `add_request` and `step`."""
    assert isinstance(vllm.running, VllmEngine)
    with session.driven(vllm.running, "public"):
        yield vllm


WITH_VLLM = [pytest.param(name, marks=session.needs_vllm) for name in ("vllm", "vllm_public")]


@pytest.fixture(params=["scripted", *WITH_VLLM])
def subject(request: pytest.FixtureRequest) -> Subject:
    made: Subject = request.getfixturevalue(request.param)
    return made


class Feed:
    """An iterator of requests that counts what was taken."""

    def __init__(self, requests: list[Request]) -> None:
        self.pulled = 0
        self._requests = requests

    def __iter__(self) -> Iterator[Request]:
        for request in self._requests:
            self.pulled += 1
            yield request


def test_encode_tells_the_tokens_of_a_prompt_before_the_start(subject: Subject) -> None:
    engine = subject.create(subject.config)
    request = ask("one two three")
    encoded = engine.encode(request.messages)
    assert encoded is not None
    outcome = answers(subject.running, request)[request.key]
    assert len(encoded) == outcome.usage.prompt
    assert engine.encode(ask("one two four").messages) != encoded


def answers(engine: Engine, *requests: Request) -> dict[str, Outcome]:
    return {outcome.key: outcome for outcome in outcomes_of(engine, requests)}


def outcomes_of(engine: Engine, requests: Iterable[Request]) -> Iterator[Outcome]:
    """The outcomes of requests of which the engine may lose none."""
    for event in engine.run(requests):
        assert not isinstance(event, Lost)
        yield event


# 0. Building checks and loads nothing.


def test_an_unknown_option_is_refused_with_the_nearest(subject: Subject) -> None:
    with pytest.raises(UsageError, match=r"max_modle_len.*did you mean 'max_model_len'"):
        subject.create(subject.configured({"max_modle_len": 5}))


def test_an_unreadable_option_value_is_refused(subject: Subject) -> None:
    with pytest.raises(UsageError, match="max_model_len"):
        subject.create(subject.configured({"max_model_len": "many"}))


def test_identity_is_known_before_the_start_and_stays(subject: Subject) -> None:
    before = subject.create(subject.config).identity()
    assert before == subject.running.identity()
    assert before
    assert all(isinstance(text, str) for pair in before.items() for text in pair)


def test_identity_follows_what_can_change_an_answer_only(subject: Subject) -> None:
    same = subject.create(subject.configured(subject.neutral_option))
    other = subject.create(subject.configured(subject.answer_option))
    assert same.identity() == subject.running.identity() != other.identity()


def test_check_accepts_what_can_be_answered(subject: Subject) -> None:
    for constraint in (None, choice("a", "b"), schema(a={"type": "integer"})):
        subject.running.check(Sampling(), constraint)  # does not raise


def test_check_refuses_what_no_request_could_get(subject: Subject) -> None:
    if subject.answer_option == {"variant": "other"}:
        engine = subject.create(subject.configured({"refuse": True}))
        constraint = None
    else:
        engine = subject.running
        constraint = schema(a={"type": "array", "uniqueItems": True})
    with pytest.raises(UsageError, match="refuses this job's requests"):
        engine.check(Sampling(), constraint)


# 1. A context manager; an engine that is not open runs nothing.


def test_an_engine_that_was_not_started_runs_nothing(subject: Subject) -> None:
    with pytest.raises(EngineError):
        list(subject.create(subject.config).run([ask("hello")]))


def test_close_may_be_called_at_any_time_and_again(subject: Subject) -> None:
    engine = subject.create(subject.config)
    engine.close()
    engine.close()


def test_no_process_is_left(subject: Subject) -> None:
    assert not [child for child in psutil.Process().children() if "EngineCore" in child.name()]


# 2. It pulls only when its window has room.


def test_the_window_bounds_what_is_pulled(subject: Subject) -> None:
    feed = Feed([ask(f"row {number}") for number in range(40)])
    answered = 0
    for _ in subject.running.run(feed):
        assert feed.pulled - answered <= subject.window
        answered += 1
    assert answered == feed.pulled == 40


def test_nothing_is_pulled_before_the_first_answer_is_wanted(subject: Subject) -> None:
    feed = Feed([ask("hello")])
    outcomes = subject.running.run(feed)
    assert feed.pulled == 0
    assert len(list(outcomes)) == 1


# 3. Exactly one outcome for each request, with its key.


def test_each_request_has_one_outcome(subject: Subject) -> None:
    requests = [ask(f"row {number}", max_tokens=1 + number % 9) for number in range(50)]
    keys = [outcome.key for outcome in outcomes_of(subject.running, requests)]
    assert sorted(keys) == sorted(request.key for request in requests)


def test_a_key_that_comes_twice_is_answered_twice(subject: Subject) -> None:
    request = ask("twice")
    first, second = outcomes_of(subject.running, [request, request])
    assert first == second or first.usage.cached != second.usage.cached


def test_a_constraint_is_kept(subject: Subject) -> None:
    kinds = {"type": "string", "enum": ["red", "größe"]}
    requests = {
        "choice": ask("choose", choice("ja", "naïve"), max_tokens=40),
        "regex": ask("id", Constraint("regex", r"[A-Z]{2}-\d{4}"), max_tokens=40),
        "json": ask("record", schema(kind=kinds, sure={"type": "boolean"}), max_tokens=150),
    }
    got = answers(subject.running, *requests.values())
    text = {name: got[request.key].text or "" for name, request in requests.items()}
    assert text["choice"] in ("ja", "naïve")
    assert len(text["regex"]) == 7
    assert set(json.loads(text["json"])) == {"kind", "sure"}


def test_tokens_are_counted(subject: Subject) -> None:
    request = ask("count these words please")
    outcome = answers(subject.running, request)[request.key]
    assert isinstance(outcome, Completed)
    assert outcome.usage.prompt >= 4
    assert outcome.usage.output >= 1


# 4. A bad request is an outcome, and disturbs no other.

BAD = {
    "negative_temperature": ask("hello", temperature=-1.0),
    "top_p_above_1": ask("hello", temperature=1.0, top_p=1.5),
    "too_long": ask("word " * 600),
    "negative_seed": ask("hello", seed=-5),
    "bad_regex": ask("hello", Constraint("regex", "(")),
    "dangling_ref": ask("hello", Constraint("json", '{"$ref": "#/$defs/none"}')),
}


def test_bad_requests_fail_alone(subject: Subject) -> None:
    good = [ask(f"good {number}") for number in range(12)]
    mixed = [*good[:6], *BAD.values(), *good[6:]]
    got = answers(subject.running, *mixed)
    assert len(got) == len(mixed)
    assert all(isinstance(got[request.key], Completed) for request in good)
    for name, request in BAD.items():
        outcome = got[request.key]
        assert isinstance(outcome, Failed), name
        assert outcome.kind == ("too_long" if name == "too_long" else "refused_request")
        assert outcome.kind in FAILURE_KINDS
        assert outcome.message
        assert "\n" not in outcome.message
        assert outcome.usage == Usage(), "nothing of it was computed"


def test_too_long_names_both_lengths(subject: Subject) -> None:
    outcome = answers(subject.running, BAD["too_long"])[BAD["too_long"].key]
    assert isinstance(outcome, Failed)
    assert "the context length is 256" in outcome.message


def test_an_answer_that_was_cut_says_by_what(subject: Subject) -> None:
    text = "word"
    while _tokens(subject, text) < 256 - 1:
        text += " a"
    full, short = ask(text, max_tokens=50), ask("LENGTH:9 words wanted", max_tokens=1)
    got = answers(subject.running, full, short)
    for request, reason in ((full, "context"), (short, "length")):
        outcome = got[request.key]
        assert isinstance(outcome, Completed)
        assert (outcome.finish_reason, outcome.usage.output) == (reason, 1)


def _tokens(subject: Subject, text: str) -> int:
    encoded = subject.running.encode(ask(text).messages)
    assert encoded is not None
    return len(encoded)


# 5. It drains at the end, and leaves nothing running when it is closed.


def test_no_requests_no_outcomes(subject: Subject) -> None:
    assert list(subject.running.run([])) == []


def test_a_run_after_a_closed_one_sees_only_its_own(subject: Subject) -> None:
    given_up = subject.running.run(ask(f"old {n}", max_tokens=100) for n in range(30))
    next(given_up)
    given_up.close()  # type: ignore[attr-defined]
    assert subject.running.telemetry().running == 0
    requests = [ask(f"new {number}") for number in range(20)]
    assert set(answers(subject.running, *requests)) == {request.key for request in requests}


def test_a_feed_that_fails_ends_the_run_and_not_the_engine(subject: Subject) -> None:
    def failing() -> Iterator[Request]:
        yield ask("before")
        raise LookupError("the feed broke")

    with pytest.raises(LookupError, match="the feed broke"):
        list(subject.running.run(failing()))
    assert len(answers(subject.running, ask("after"))) == 1


# 6. and 7. It says what it is and how it does.


def test_description_is_json(subject: Subject) -> None:
    info = subject.running.describe()
    stored = json.loads(json.dumps(info.to_json()))
    assert stored == info.to_json()
    assert EngineInfo.from_json(stored) == info
    assert None not in (info.name, info.version, info.device, info.dtype, info.model)
    assert info.parallelism is not None
    assert info.window == subject.window


def test_telemetry_counts_while_running(subject: Subject) -> None:
    before = subject.running.telemetry()
    outcomes = []
    for outcome in outcomes_of(subject.running, [ask(f"row {n}") for n in range(20)]):
        outcomes.append(outcome)
        assert isinstance(subject.running.telemetry(), Telemetry)
    after = subject.running.telemetry()
    used = [outcome.usage for outcome in outcomes]
    assert after.prompt_tokens - before.prompt_tokens == sum(usage.prompt for usage in used)
    assert after.output_tokens - before.output_tokens == sum(usage.output for usage in used)
    assert after.cached_tokens - before.cached_tokens == sum(usage.cached for usage in used)
    steps = after.steps - before.steps
    assert steps > 0
    assert steps <= after.sequences - before.sequences <= steps * subject.window
    assert before.starved_steps <= after.starved_steps <= before.starved_steps + steps
    assert (after.running, after.waiting) == (0, 0)


def test_a_slow_feed_is_idle_time(subject: Subject) -> None:
    def slow() -> Iterator[Request]:
        for number in range(3):
            time.sleep(0.05)
            yield ask(f"at last {number}")

    before = subject.running.telemetry().idle_seconds
    list(subject.running.run(slow()))
    slept = subject.running.telemetry().idle_seconds - before
    list(subject.running.run([ask(f"at once {number}") for number in range(3)]))
    idle = subject.running.telemetry().idle_seconds - before - slept
    assert idle < 0.05 <= slept


# 7. to 9. An engine that hangs or dies, and the next one.


def ended_by_closing(engine: Engine, requests: list[Request], after: float) -> tuple[str, float]:
    """The end of a run whose engine is closed from another thread, and the seconds until then."""
    threading.Timer(after, engine.close).start()
    began = time.monotonic()
    with pytest.raises(EngineError) as caught:
        list(engine.run(requests))
    return str(caught.value), time.monotonic() - began - after


def test_a_hung_engine_tells_no_progress_and_ends_when_it_is_closed(scripted: Subject) -> None:
    seen: list[Telemetry] = []
    with scripted.create(scripted.config) as engine:
        requests = [ask("one"), ask("STALL"), ask("two")]
        for delay in (0.3, 0.4):
            threading.Timer(delay, lambda: seen.append(engine.telemetry())).start()
        message, seconds = ended_by_closing(engine, requests, after=0.6)
    assert message.startswith("engine died")
    assert seconds < 1
    assert seen[0] == seen[1]
    assert seen[0].running == 1


def test_a_busy_engine_ends_when_it_is_closed(scripted: Subject) -> None:
    with scripted.create(scripted.configured({"delay": 0.01})) as engine:
        requests = [ask(f"row {number}") for number in range(1000)]
        message, seconds = ended_by_closing(engine, requests, after=0.2)
        with pytest.raises(EngineError):
            list(engine.run([ask("again")]))
    assert message.startswith("engine died")
    assert seconds < 1


def test_an_engine_that_starts_ends_when_it_is_closed(scripted: Subject) -> None:
    engine = scripted.create(scripted.configured({"start_delay": 30}))
    threading.Timer(0.1, engine.close).start()
    with pytest.raises(EngineError):
        engine.__enter__()


def test_the_next_engine_answers(scripted: Subject) -> None:
    with scripted.create(scripted.config) as engine, pytest.raises(EngineError, match="died"):
        list(engine.run([ask("KILL")]))
    with scripted.create(scripted.config) as engine:
        assert len(answers(engine, ask("after"))) == 1
