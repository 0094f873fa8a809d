"""The engine against a real server: starting, answers, what it tells of itself."""

import pytest

from llmbatch.core.errors import EngineError, UsageError
from llmbatch.core.outcomes import Completed, Failed, Usage
from llmbatch.core.records import Sampling
from tests.engines.http.starting import answered, engine
from tests.engines.vllm.requests import ask, choice
from tests.servers.process import ServerProcess, serving


def test_every_request_is_answered_by_the_server(server: ServerProcess) -> None:
    with engine(server.url) as running:
        found = answered(running, *(ask(f"row {number}") for number in range(200)))
        told = running.telemetry()
    assert all(isinstance(one, Completed) for one in found.values())
    assert told.output_tokens == sum(one.usage.output for one in found.values()) > 0
    assert (told.running, told.waiting) == (0, 0)


def test_all_sampling_fields_are_sent_always(server: ServerProcess) -> None:
    with engine(server.url) as running:
        answered(running, ask("with all fields", temperature=0.7, seed=3))
    body = server.seen()["bodies"][-1]
    sent = {"temperature", "top_p", "top_k", "min_p", "repetition_penalty", "max_tokens", "seed"}
    assert sent | {"presence_penalty", "frequency_penalty", "model", "messages"} <= body.keys()
    assert body["temperature"] == 0.7


def test_it_tells_what_it_found(server: ServerProcess) -> None:
    with engine(server.url) as running:
        info = running.describe()
    assert (info.name, info.max_model_len, info.version) == ("openai", 256, "0.32.0")


def test_a_server_that_has_another_model_is_refused_with_those_it_has() -> None:
    with (
        serving(models=["one", "two"]) as other,
        pytest.raises(EngineError, match=r"does not serve the model 'scripted'.*: one, two"),
        engine(other.url),
    ):
        pass


def test_no_server_is_one_line() -> None:
    with (
        pytest.raises(EngineError, match=r"no server answers: http://127\.0\.0\.1:9/v1"),
        engine("http://127.0.0.1:9/v1"),
    ):
        pass


def test_a_server_that_ignores_constraints_is_refused_at_the_start() -> None:
    constraint = choice("yes", "no")
    with (
        serving(honours=[]) as careless,
        pytest.raises(EngineError, match=r"ignores the constraint \(choice\)"),
        engine(careless.url, constraint=constraint),
    ):
        pass


def test_a_setting_that_a_plain_server_ignores_is_refused(server: ServerProcess) -> None:
    plain = engine(server.url, dialect="openai")
    with pytest.raises(UsageError, match=r"refuses this job's requests: top_k"):
        plain.check(Sampling(top_k=20), None)
    told = engine(server.url, dialect="openai", takes="top_k")
    told.check(Sampling(top_k=20), None)


def test_a_row_that_is_too_long_fails_alone(server: ServerProcess) -> None:
    long, short = ask("word " * 600), ask("short")
    with engine(server.url) as running:
        found = answered(running, long, short)
    failed = found[long.key]
    assert isinstance(failed, Failed)
    assert (failed.kind, failed.usage) == ("too_long", Usage())
    assert isinstance(found[short.key], Completed)
