"""The two ways to vLLM's engine core: alike to the caller, and chosen by what is there."""

from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from llmbatch.core.errors import EngineError, MismatchedEngineError
from llmbatch.core.outcomes import Completed, Failed, Outcome
from llmbatch.core.records import Constraint, Message, Request
from llmbatch.engines.vllm import engine, versions, ways
from llmbatch.engines.vllm.client import Client
from llmbatch.engines.vllm.core_channel import IsSettled
from llmbatch.engines.vllm.public_way import PublicWay, StepStats
from llmbatch.engines.vllm.short_way import ShortWay
from llmbatch.engines.vllm.waiting import Room
from tests.engines.vllm import session
from tests.engines.vllm.requests import ask, choice, schema

pytestmark = session.needs_vllm


def client_of(engine: engine.VllmEngine) -> Client:
    assert engine._client is not None
    return engine._client


def mixed() -> list[Request]:
    """Requests of every kind, with different lengths."""
    return [
        *(ask(f"ticket {n}", max_tokens=1 + n % 7, temperature=1.0, seed=n) for n in range(12)),
        ask("Reply to the customer", max_tokens=20, stop=("e",)),
        ask("Reply to the customer", max_tokens=20, stop=("this never comes",)),
        ask("choose", choice("ja", "naïve"), max_tokens=20),
        ask("id", Constraint("regex", r"[A-Z]{2}-\d{2}"), max_tokens=20),
        ask("record", schema(sure={"type": "boolean"}), max_tokens=60),
        ask("too long " * 300),
    ]


def told(outcome: Outcome) -> tuple[Any, ...]:
    """The parts of an outcome that must be the same on both ways."""
    kind = outcome.kind if isinstance(outcome, Failed) else None
    return type(outcome), outcome.text, outcome.finish_reason, outcome.usage, kind


def test_both_ways_give_the_same_answers(vllm_engine: engine.VllmEngine) -> None:
    """Each request alone and with its prompt in the cache: then the engine core computes the same
    each time, on any processor and in any version."""
    requests = mixed()
    found = {}
    for way in ("warm", "short", "public"):
        with session.driven(vllm_engine, way):
            found[way] = [told(next(iter(vllm_engine.run([each])))) for each in requests]
    assert found["short"] == found["public"]
    kinds = [outcome[0] for outcome in found["public"]]
    assert kinds.count(Failed) == 1
    assert kinds.count(Completed) == len(requests) - 1


def test_the_public_way_answers_many_at_a_time(vllm_engine: engine.VllmEngine) -> None:
    requests = mixed()
    with session.driven(vllm_engine, "public"):
        outcomes = {outcome.key: outcome for outcome in vllm_engine.run(requests)}
    assert outcomes.keys() == {request.key for request in requests}
    assert [outcomes[each.key].text for each in requests if each.constraint]
    for request in requests[:12]:
        outcome = outcomes[request.key]
        assert outcome.usage.output <= request.sampling.max_tokens
        assert outcome.finish_reason in ("stop", "length")


def test_both_ways_tell_what_the_steps_did(vllm_engine: engine.VllmEngine) -> None:
    for way in ("short", "public"):
        with session.driven(vllm_engine, way):
            requests = [ask(f"{way} way, row {n}", max_tokens=1 + n % 5) for n in range(30)]
            before = vllm_engine.telemetry()
            outcomes = list(vllm_engine.run(requests))
            after = vllm_engine.telemetry()
        tokens = sum(outcome.usage.output for outcome in outcomes)
        assert after.output_tokens - before.output_tokens == tokens
        # Each token is that of one sequence in one step. Of each engine the first steps are left
        # out, and one that was held up.
        assert 0.8 * tokens <= after.moments.s - before.moments.s <= tokens
        computed = sum(outcome.usage.prompt - outcome.usage.cached for outcome in outcomes)
        assert 0.8 * computed <= after.moments.p - before.moments.p <= computed


def test_prompts_wait_outside_whichever_way(vllm_engine: engine.VllmEngine) -> None:
    running = vllm_engine._session
    assert running is not None
    pulled = []

    def feed() -> Iterator[Request]:
        for number in range(8):
            pulled.append(number)
            yield ask(f"public row {number}", max_tokens=9)

    with (
        session.driven(vllm_engine, "public"),
        mock.patch.object(running, "room", Room(1, 1)),
    ):
        before = vllm_engine.telemetry().steps
        outcomes = vllm_engine.run(feed())
        next(outcomes)
        # One at a time, as soon as the answer of the one before has begun.
        assert 1 < len(pulled) <= vllm_engine.telemetry().steps - before + 1
        assert len(list(outcomes)) == 7


def test_nothing_of_a_request_is_left_whichever_way(vllm_engine: engine.VllmEngine) -> None:
    client = client_of(vllm_engine)
    with session.driven(vllm_engine, "public"):
        public = client.channel
        assert isinstance(public, PublicWay)
        (refused,) = vllm_engine.run([ask("hello", choice())])
        assert isinstance(refused, Failed)
        outcomes = vllm_engine.run(ask(f"old {n}", max_tokens=50) for n in range(20))
        next(outcomes)
        outcomes.close()  # type: ignore[attr-defined]
        assert client.engine.get_num_unfinished_requests() == 0
        assert not public._waiting


# Which way is chosen.


def test_a_vllm_with_all_parts_is_driven_the_short_way(vllm_engine: engine.VllmEngine) -> None:
    described = vllm_engine.describe().settings
    assert (described["way"], described["way_reason"]) == ("short", None)


class Without:
    """An engine as it is, but for one part that it lacks."""

    def __init__(self, whole: Any, part: str) -> None:
        self._whole = whole
        self._missing, _, self._below = part.partition(".")

    def __getattr__(self, name: str) -> Any:
        if name != self._missing:
            return getattr(self._whole, name)
        if not self._below:
            raise AttributeError(name)
        return Without(getattr(self._whole, name), self._below)


@pytest.mark.parametrize("part", ways.CALLS)
def test_without_one_part_the_public_way_is_chosen(
    vllm_engine: engine.VllmEngine, part: str
) -> None:
    engine = Without(client_of(vllm_engine).engine, part)
    way, reason = ways.choose(engine, StepStats())
    assert isinstance(way, PublicWay)
    assert reason == f"this vLLM has no {part}"


def test_a_part_that_takes_other_arguments_is_not_there(vllm_engine: engine.VllmEngine) -> None:
    engine = client_of(vllm_engine).engine
    other = SimpleNamespace(process_inputs=lambda prompt: None)
    with mock.patch.object(engine, "input_processor", other):
        way, reason = ways.choose(engine, StepStats())
    assert isinstance(way, PublicWay)
    assert reason == "this vLLM has no input_processor.process_inputs"


def test_a_message_without_one_field_is_not_there(vllm_engine: engine.VllmEngine) -> None:
    more = {**ways.FIELDS, "vllm.v1.engine.EngineCoreOutput": ("request_id", "brand_new")}
    with mock.patch.object(ways, "FIELDS", more):
        way, reason = ways.choose(client_of(vllm_engine).engine, StepStats())
    assert isinstance(way, PublicWay)
    assert reason == "this vLLM has no vllm.v1.engine.EngineCoreOutput.brand_new"


def test_a_newer_vllm_is_driven_the_public_way(vllm_engine: engine.VllmEngine) -> None:
    with mock.patch.object(versions, "NEWEST", (0, 1)):
        way, reason = ways.choose(client_of(vllm_engine).engine, StepStats())
    assert isinstance(way, PublicWay)
    assert reason is not None
    assert "newer than what was tested" in reason


# What does not fit together is no fault of a row.


class Broken(ShortWay):
    """A way on which one call meets a name that is not there, in vLLM or in us."""

    def __init__(self, engine: Any, call: str) -> None:
        super().__init__(engine)
        self._call = call

    def add(
        self,
        number: str,
        tokens: list[int],
        template: Any,
        is_settled: IsSettled | None = None,
        adapter: Any = None,
    ) -> None:
        if self._call == "add":
            template.no_such_field  # noqa: B018
        super().add(number, tokens, template, is_settled, adapter)

    def receive(self) -> Any:
        arrived = super().receive()
        if self._call == "receive":
            arrived.no_such_field  # type: ignore[attr-defined]  # noqa: B018
        return arrived

    def make_template(self, parameters: Any) -> Any:
        if self._call == "make_template":
            raise TypeError("process_inputs() got an unexpected keyword argument")
        return super().make_template(parameters)


@pytest.mark.parametrize("call", ["make_template", "add", "receive"])
def test_a_misfit_ends_the_run_and_is_no_outcome(vllm_engine: engine.VllmEngine, call: str) -> None:
    client = client_of(vllm_engine)
    with session.driven(vllm_engine, "short"):
        client.channel = Broken(client.engine, call)
        outcomes: list[Outcome] = []
        with pytest.raises(MismatchedEngineError) as caught:
            for outcome in vllm_engine.run([ask("one"), ask("two")]):
                outcomes.append(outcome)
        assert outcomes == []
    text = str(caught.value)
    assert versions.installed() in text
    assert "llmbatch 0." in text
    assert "\n" not in text
    assert len(list(vllm_engine.run([ask("after")]))) == 1


def test_a_text_that_the_chat_template_chokes_on_is_an_outcome(
    vllm_engine: engine.VllmEngine,
) -> None:
    session = vllm_engine._session
    assert session is not None
    encode = session.tokenizer.encode

    def choosy(messages: Sequence[Message]) -> list[int]:
        if "odd" in messages[-1].content:
            raise TypeError("can only concatenate str")
        return encode(messages)

    with mock.patch.object(session.tokenizer, "encode", choosy):
        odd, even = vllm_engine.run([ask("odd"), ask("even")])
    assert isinstance(odd, Failed)
    assert (odd.kind, odd.message) == ("refused_request", "can only concatenate str")
    assert isinstance(even, Completed)


# Versions.


@pytest.mark.parametrize(
    ("version", "newer", "older"),
    [
        ("0.25.9", False, True),
        ("0.26.0", False, False),
        ("0.33.2.dev1+g1234", False, False),
        ("0.34.0rc1", True, False),
        ("1.0", True, False),
        ("unknown", True, False),
    ],
)
def test_versions_outside_what_was_tested_are_told(version: str, newer: bool, older: bool) -> None:
    with mock.patch.object(versions, "installed", lambda: version):
        assert versions.is_newer() == newer
        assert bool(versions.notices()) == newer
        assert all(version in line and "\n" not in line for line in versions.notices())
        if older:
            with pytest.raises(EngineError, match=r"vLLM 0\.25\.9 is too old.*0\.26 to 0\.33"):
                versions.require_known()
        else:
            versions.require_known()


def test_the_installed_version_is_known_without_importing_it() -> None:
    import vllm as package

    assert versions.installed() == package.__version__
    assert versions._by_source() == package.__version__
