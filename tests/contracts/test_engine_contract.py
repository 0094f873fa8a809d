"""The engine protocol, clause by clause (see `llmbatch.engines.base.Engine`), for each engine.

Every test asks of all engines what the contract does. What only some know is declared in
`tests.contracts.subjects`, and asked of those. A new engine gets a line there, and a fixture in
`conftest`.

What ends an engine is tried here on those of which several fit into one process, which vLLM does
not: see tests/engines/vllm/test_death.py and tests/engines/vllm/test_lives.py.
"""

import json
import re
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import psutil
import pytest

from llmbatch.core import clock
from llmbatch.core.errors import EngineError, UsageError
from llmbatch.core.outcomes import FAILURE_KINDS, Completed, Failed, Lost, Outcome, Usage
from llmbatch.core.records import Constraint, Message, Request, Sampling
from llmbatch.core.step_cost import StepMoments
from llmbatch.engines.base import LONGEST_HOLD, Engine, TakesPauses, Telemetry
from llmbatch.engines.info import EngineInfo
from llmbatch.engines.replicas.fleet import Fleet
from tests.contracts.subjects import CONTEXT, KNOWN, MARKS, Case, Knows, Subject
from tests.engines.vllm.requests import ask, choice, schema


def those(know: Callable[[Knows], object]) -> pytest.MarkDecorator:
    """The engines that know something, in place of all."""
    names = [name for name in KNOWN if know(KNOWN[name])]
    marked = [pytest.param(name, marks=MARKS.get(name, ())) for name in names]
    return pytest.mark.parametrize("subject", marked, indirect=True)


class Feed:
    """An iterator of requests that counts what was taken and is in flight. What is to come again
    comes after all others."""

    def __init__(self, requests: Iterable[Request]) -> None:
        self.pulled = 0
        self.in_flight = Counter[str]()
        self._requests = requests
        self._sent: dict[str, Request] = {}
        self._again: deque[str] = deque()

    def __iter__(self) -> Iterator[Request]:
        for request in self._requests:
            self._sent[request.key] = request
            yield self._pull(request)
        while self._again:
            yield self._pull(self._sent[self._again.popleft()])

    def _pull(self, request: Request) -> Request:
        self.pulled += 1
        self.in_flight[request.key] += 1
        return request

    def end(self, event: Outcome | Lost) -> None:
        """Take note of an event, which may only be of what is in flight."""
        for key in event.keys if isinstance(event, Lost) else [event.key]:
            self.in_flight[key] -= 1
            assert self.in_flight[key] >= 0

    def send_again(self, *keys: str) -> None:
        self._again.extend(keys)

    def take_late(self) -> list[Request]:
        """The requests that were to be sent again when the feed had ended."""
        late = [self._sent[key] for key in self._again]
        self._again.clear()
        return late


def answers(engine: Engine, *requests: Request) -> dict[str, Outcome]:
    return {outcome.key: outcome for outcome in outcomes_of(engine, requests)}


def outcomes_of(engine: Engine, requests: Iterable[Request]) -> Iterator[Outcome]:
    """The outcomes of requests of which the engine may lose none: one for each."""
    feed = Feed(requests)
    for event in engine.run(feed):
        feed.end(event)
        assert not isinstance(event, Lost)
        yield event
    assert not feed.in_flight.total()


@contextmanager
def another(subject: Subject, case: Case | None) -> Iterator[Engine]:
    """An engine of its own for a case."""
    assert case is not None
    with subject.create(subject.configured(case.options)) as engine:
        yield engine


def text_of(case: Case | None) -> str:
    assert case is not None
    return case.text


# 0. Building checks and loads nothing.


def test_an_unknown_option_is_refused_by_name(subject: Subject) -> None:
    with pytest.raises(UsageError, match="no_such_option"):
        subject.create(subject.configured({"no_such_option": 5}))


@those(lambda knows: knows.misspelt)
def test_a_misspelt_option_is_refused_with_the_nearest(subject: Subject) -> None:
    assert subject.knows.misspelt is not None
    written, meant = subject.knows.misspelt
    with pytest.raises(UsageError, match=rf"{written}.*did you mean '{meant}'"):
        subject.create(subject.configured({written: 5}))


@those(lambda knows: knows.unreadable)
def test_an_unreadable_option_value_is_refused(subject: Subject) -> None:
    (name,) = subject.knows.unreadable
    with pytest.raises(UsageError, match=name):
        subject.create(subject.configured(subject.knows.unreadable))


def test_identity_is_known_before_the_start_and_stays(subject: Subject) -> None:
    before = subject.create(subject.config).identity()
    assert before == subject.running.identity()
    assert before
    assert all(isinstance(text, str) for pair in before.items() for text in pair)


def test_identity_follows_what_can_change_an_answer_only(subject: Subject) -> None:
    same, other = subject.create(subject.alike), subject.create(subject.other)
    assert same.identity() == subject.running.identity() != other.identity()


CONSTRAINTS = {
    "choice": choice("ja", "naïve"),
    "regex": Constraint("regex", r"[A-Z]{2}-\d{4}"),
    "json": schema(kind={"type": "string", "enum": ["red", "größe"]}, sure={"type": "boolean"}),
}


def accepts(engine: Engine, constraint: Constraint | None) -> bool:
    try:
        engine.check(Sampling(), constraint)
    except UsageError:
        return False
    return True


def test_check_accepts_what_can_be_answered(subject: Subject) -> None:
    subject.running.check(Sampling(), None)  # does not raise
    accepted = {name for name in CONSTRAINTS if accepts(subject.running, CONSTRAINTS[name])}
    assert accepted == set(CONSTRAINTS) or not subject.knows.constraints


@those(lambda knows: knows.unanswerable)
def test_check_refuses_what_no_request_could_get(subject: Subject) -> None:
    assert subject.knows.unanswerable is not None
    options, constraint = subject.knows.unanswerable
    engine = subject.create(subject.configured(options)) if options else subject.running
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


def test_a_feed_that_pauses_holds_up_nothing_that_is_in_flight(subject: Subject) -> None:
    engine = subject.running
    if not isinstance(engine, TakesPauses):
        # Replicas are parts already, and no part of others.
        assert subject.knows is KNOWN["minimal"] or isinstance(engine, Fleet)
        return
    settled: list[str] = []

    def feed() -> Iterator[Request | None]:
        for number in range(3):
            yield replace(ask("row"), key=f"pause {number}")
            while len(settled) <= number:
                yield None

    for event in engine.run_with_pauses(feed()):
        assert not isinstance(event, Lost)
        settled.append(event.key)
    assert settled == ["pause 0", "pause 1", "pause 2"]


def test_each_request_has_one_outcome(subject: Subject) -> None:
    requests = [ask(f"row {number}", max_tokens=1 + number % 9) for number in range(50)]
    keys = [outcome.key for outcome in outcomes_of(subject.running, requests)]
    assert sorted(keys) == sorted(request.key for request in requests)


def test_what_is_settled_may_come_again_in_the_same_feed(subject: Subject) -> None:
    feed = Feed(ask(f"row {number}") for number in range(2 * subject.window))
    got: list[Outcome] = []
    for event in subject.running.run(feed):
        feed.end(event)
        assert not isinstance(event, Lost)
        if not got:
            feed.send_again(event.key)
        got.append(event)
    assert len(got) == feed.pulled == 2 * subject.window + 1
    assert [one.key for one in got].count(got[0].key) == 2


@those(lambda knows: knows.repeats)
def test_a_key_that_comes_twice_is_answered_twice_and_alike(subject: Subject) -> None:
    request = ask("twice")
    first, second = outcomes_of(subject.running, [request, request])
    assert first == second or first.usage.cached != second.usage.cached


@those(lambda knows: knows.losing)
def test_what_is_lost_was_in_flight_and_may_come_again(subject: Subject) -> None:
    requests = [ask(text_of(subject.knows.losing)), *(ask(f"row {n}") for n in range(30))]
    requests_left = requests
    got: list[str] = []
    lost: list[Lost] = []
    with another(subject, subject.knows.losing) as engine:
        while requests_left:
            feed = Feed(requests_left)
            for event in engine.run(feed):
                feed.end(event)
                if isinstance(event, Lost):
                    lost.append(event)
                    feed.send_again(*event.keys)
                else:
                    got.append(event.key)
            requests_left = feed.take_late()
        assert engine.telemetry().running == 0
    assert sorted(got) == sorted(request.key for request in requests)
    assert lost
    for one in lost:
        assert len(set(one.keys)) == len(one.keys) > 0
        assert one.reason
        assert "\n" not in one.reason


def test_a_constraint_that_is_accepted_is_kept(subject: Subject) -> None:
    limits = {"choice": 40, "regex": 40, "json": 150}
    asked = {
        name: ask(f"a {name}", constraint, max_tokens=limits[name])
        for name, constraint in CONSTRAINTS.items()
        if accepts(subject.running, constraint)
    }
    got = answers(subject.running, *asked.values())
    text = {name: got[request.key].text or "" for name, request in asked.items()}
    assert text.get("choice", "ja") in ("ja", "naïve")
    assert len(text.get("regex", "AB-1234")) == 7
    assert set(json.loads(text.get("json", '{"kind": "", "sure": 0}'))) == {"kind", "sure"}


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


def test_an_answer_begins_as_its_request_says(subject: Subject) -> None:
    plain = ask("one two three")
    messages = (*plain.messages, Message("prefill", "It is"))
    begun = replace(plain, key="b" * 32, messages=messages)
    text = replace(plain, key="c" * 32, messages=(Message("text", "one two three"),))
    found = answers(subject.running, begun, text)
    assert isinstance(found[text.key], Completed)
    first = found[begun.key]
    assert isinstance(first, Completed)
    assert first.text.startswith("It is")
    for request in (begun, text):
        encoded = subject.running.encode(request.messages)
        assert encoded is None or len(encoded) == found[request.key].usage.prompt


def test_bad_requests_fail_alone(subject: Subject) -> None:
    good = [ask(f"good {number}") for number in range(12)]
    mixed = [*good[:6], *BAD.values(), *good[6:]]
    got = answers(subject.running, *mixed)
    assert len(got) == len(mixed)
    assert all(isinstance(got[request.key], Completed) for request in good)
    failed = {name for name in BAD if isinstance(got[BAD[name].key], Failed)}
    assert failed == subject.knows.refuses
    for name in failed:
        outcome = got[BAD[name].key]
        assert isinstance(outcome, Failed)
        assert outcome.kind == ("too_long" if name == "too_long" else "refused_request")
        assert outcome.kind in FAILURE_KINDS
        assert outcome.message
        assert "\n" not in outcome.message
        assert outcome.usage == Usage(), "nothing of it was computed"


@those(lambda knows: knows.context)
def test_too_long_names_both_lengths(subject: Subject) -> None:
    assert subject.knows.context == subject.running.describe().max_model_len == CONTEXT
    outcome = answers(subject.running, BAD["too_long"])[BAD["too_long"].key]
    assert isinstance(outcome, Failed)
    assert re.search(rf"context length is {CONTEXT}\b", outcome.message)


def test_an_answer_of_too_few_tokens_was_cut_by_its_length(subject: Subject) -> None:
    request = ask("LENGTH:9 words wanted", max_tokens=1)
    assert_cut(answers(subject.running, request)[request.key], "length")


@those(lambda knows: knows.context)
def test_an_answer_without_room_was_cut_by_the_context(subject: Subject) -> None:
    text = "word"
    while _tokens(subject, text) < CONTEXT - 1:
        text += " a"
    request = ask(text, max_tokens=50)
    assert_cut(answers(subject.running, request)[request.key], "context")


def assert_cut(outcome: Outcome, reason: str) -> None:
    assert isinstance(outcome, Completed)
    assert (outcome.finish_reason, outcome.usage.output) == (reason, 1)


def _tokens(subject: Subject, text: str) -> int:
    encoded = subject.running.encode(ask(text).messages)
    if encoded is None:
        request = ask(text, max_tokens=1)
        return answers(subject.running, request)[request.key].usage.prompt
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
    assert {name for name in subject.knows.fields if getattr(info, name) is None} == set()
    assert info.window in (None, subject.window)


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
    assert (after.running, after.waiting, after.held_back_until) == (0, 0, None)


@those(lambda knows: knows.steps)
def test_steps_are_counted(subject: Subject) -> None:
    before = subject.running.telemetry()
    answers(subject.running, *(ask(f"row {n}") for n in range(20)))
    after = subject.running.telemetry()
    steps = after.steps - before.steps
    assert steps > 0
    assert steps <= after.sequences - before.sequences <= steps * subject.window
    assert before.starved_steps <= after.starved_steps <= before.starved_steps + steps


@those(lambda knows: not knows.steps)
def test_an_engine_without_steps_counts_none(subject: Subject) -> None:
    answers(subject.running, *(ask(f"row {n}") for n in range(20)))
    seen = subject.running.telemetry()
    assert (seen.steps, seen.starved_steps, seen.sequences) == (0, 0, 0)
    assert seen.moments == StepMoments()


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


@those(lambda knows: knows.held)
def test_a_hold_shows_while_it_lasts_and_is_no_idle_time(subject: Subject) -> None:
    over = threading.Event()
    seen: list[float] = []

    def look(engine: Engine) -> None:
        while not over.wait(0.002):
            until = engine.telemetry().held_back_until
            if until is not None:
                seen.append(until - clock.seconds())

    with another(subject, subject.knows.held) as engine:
        looking = threading.Thread(target=look, args=[engine])
        looking.start()
        answers(engine, *(ask(text_of(subject.knows.held)) for _ in range(3)))
        over.set()
        looking.join()
        after = engine.telemetry()
    assert seen
    assert 0 < max(seen) <= LONGEST_HOLD
    assert after.held_back_until is None
    assert after.idle_seconds < 0.05


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


@those(lambda knows: knows.slow)
def test_a_busy_engine_ends_when_it_is_closed(subject: Subject) -> None:
    requests = [ask(text_of(subject.knows.slow)) for _ in range(1000)]
    with another(subject, subject.knows.slow) as engine:
        message, seconds = ended_by_closing(engine, requests, after=0.2)
        with pytest.raises(EngineError):
            list(engine.run([ask("again")]))
    assert message.startswith("engine died")
    assert seconds < 1
    with subject.create(subject.config) as engine:
        assert len(answers(engine, ask("after"))) == 1


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


# 10. The tokens of a prompt before the start.


def test_encode_gives_the_tokens_of_a_prompt_before_the_start(subject: Subject) -> None:
    engine = subject.create(subject.config)
    request = ask("one two three")
    encoded = engine.encode(request.messages)
    if encoded is None:
        assert not subject.knows.encodes
        return
    outcome = answers(subject.running, request)[request.key]
    assert len(encoded) == outcome.usage.prompt
    assert engine.encode(ask("one two four").messages) != encoded
