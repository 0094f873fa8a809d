"""Forecasts: what is looked at, what is assumed, what a run keeps of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from llmbatch.core.records import Message
from llmbatch.engines.info import EngineInfo
from llmbatch.estimate import cache_forecast
from llmbatch.estimate.cache_forecast import MOST, CacheAssumptions
from llmbatch.estimate.prefix_cache import Cache
from llmbatch.job.spec import JobSpec
from llmbatch.sizing.settings import EngineSettings
from tests.scripted_engine import ScriptedEngine
from tests.workbench import Bench, engine

JOB = {"input": "i.csv", "output": "o.jsonl", "model": "m", "prompt": "{{ t }}"}
UNLIMITED = CacheAssumptions(Cache(2), "assumed", [1])


def words(count: int) -> list[Sequence[int]]:
    """Prompts that share four tokens and have one of their own."""
    return [[1, 2, 3, 4, 100 + number] for number in range(count)]


@pytest.mark.parametrize("count", [0, 1, MOST])
def test_of_a_few_requests_all_are_looked_at(count: int) -> None:
    assert [place for part in cache_forecast.choose_ranges(count) for place in part] == list(
        range(count)
    )


@pytest.mark.parametrize("count", [MOST + 1, 10 * MOST + 7, 10_000_000])
def test_of_many_some_stretches_of_neighbours_are_looked_at(count: int) -> None:
    parts = cache_forecast.choose_ranges(count)
    assert len(parts) > 1
    assert sum(map(len, parts)) == MOST
    assert parts[0][0] == 0
    assert parts[-1][-1] == count - 1


def test_all_that_was_looked_at_is_told_exactly() -> None:
    seen = cache_forecast.predict([words(10)], 10, UNLIMITED)
    assert seen is not None
    assert (seen.prompt_tokens, seen.cached_tokens, seen.hits) == (50, 36, 0.72)
    assert not seen.at_least


def test_a_sample_does_not_count_what_only_fills_the_cache() -> None:
    seen = cache_forecast.predict([words(1_000)] * 4, 100_000, UNLIMITED)
    assert seen is not None
    assert (seen.looked_at, seen.prompt_tokens, seen.hits) == (4_000, 500_000, 0.8)
    assert seen.at_least  # without a limit, a longer sample might have met more


def test_a_sample_that_fills_the_cache_says_what_it_is() -> None:
    small = CacheAssumptions(Cache(2, 12, max_num_seqs=1), "assumed", [1])
    seen = cache_forecast.predict([words(1_000)] * 4, 100_000, small)
    assert seen is not None
    assert (seen.hits, seen.at_least) == (0.8, True)  # nothing that was shared was lost
    apart: list[Sequence[int]] = [[number % 50] * 4 for number in range(1_000)]
    seen = cache_forecast.predict([apart] * 4, 100_000, small)
    assert seen is not None
    assert (seen.hits, seen.at_least) == (0.0, False)


def test_nothing_to_look_at_is_no_forecast() -> None:
    assert cache_forecast.predict([], 0, UNLIMITED) is None
    assert cache_forecast.predict([[]], 3, UNLIMITED) is None


def test_a_prompt_that_cannot_be_encoded_is_left_out() -> None:
    def encode(messages: Sequence[Message]) -> list[int]:
        if messages[0].content == "bad":
            raise ValueError("no such role")
        return [1, 2]

    chats = cache_forecast.read_chats(['[["user","good"]]', '[["user","bad"]]'])
    assert [list(prompt) for prompt in cache_forecast.encode_stretch(encode, chats)] == [[1, 2]]


LAST = {"block_size": 32, "kv_cache_blocks": 900, "max_num_seqs": 64, "prefix_caching": True}


@pytest.mark.parametrize(
    ("last", "options", "cache", "source"),
    [
        ({}, {}, Cache(16), "assumed"),
        ({}, {"max_num_seqs": 8}, Cache(16, None, 8), "assumed"),
        ({}, {"num_gpu_blocks_override": 50}, Cache(16, 50), "by the engine's options"),
        (LAST, {}, Cache(32, 900, 64), "as the job's last engine"),
        (LAST, {"block_size": 8, "max_num_seqs": None}, Cache(8, 900, 64), "as the job's last"),
        (
            LAST | {"max_num_batched_tokens": 512},
            {"num_gpu_blocks_override": 50},
            Cache(32, 50, 64, 512),
            "as the job's last",
        ),
    ],
)
def test_what_is_known_before_a_start(
    last: dict[str, Any], options: dict[str, Any], cache: Cache, source: str
) -> None:
    assumed = cache_forecast.assume_before_start(
        EngineInfo.from_json(last), EngineSettings.from_options(options), [3]
    )
    assert assumed.cache == cache
    assert assumed.source.startswith(source)


@pytest.mark.parametrize("description", [{}, {"block_size": 0}, LAST | {"prefix_caching": False}])
def test_an_engine_without_a_prefix_cache_has_no_forecast(description: dict[str, Any]) -> None:
    assert cache_forecast.assume_as_described(EngineInfo.from_json(description), [1]) is None


def test_lengths_of_answers_are_those_the_job_has_had_or_may_have() -> None:
    def lengths(known: list[int], **changes: Any) -> Sequence[int]:
        return cache_forecast.answer_lengths(JobSpec.model_validate(JOB | changes), known)

    assert lengths([7, 8]) == [7, 8]
    assert lengths([], sampling={"max_tokens": 30}) == [30]
    assert lengths([], sampling={"max_tokens": 30_000}) == [512]
    assert lengths([], answer={"choice": ["a", "refund"]}) == [1, 1]  # the first piece decides
    assert lengths([], answer={"choice": ["refund", "refunds"]}) == [3, 3]
    whole = {"choice": ["a", "refund"]}
    assert lengths([], answer=whole, sampling={"stop": ["x"]}) == [2, 4]
    assert lengths([], answer=whole | {"constrain": "check"}) == [2, 4]
    assert lengths([], answer=whole, template={"thinking": "on"}) == [2, 4]


def kept(bench: Bench) -> list[dict[str, Any]]:
    found = bench.db.execute("SELECT run, forecast FROM forecasts")
    assert all(run == bench.run for run, _ in found)
    return [orjson.loads(text) for _, text in found]


SHARED = [f"one two three four five {number}" for number in range(40)]


def test_a_run_keeps_the_forecast_for_the_engine_that_it_has(tmp_path: Path) -> None:
    bench = Bench(tmp_path, SHARED)
    bench.drive(engine(block_size=2, kv_cache_blocks=50, slots=4))
    (seen,) = kept(bench)
    assert (seen["requests"], seen["prompt_tokens"]) == (40, 240)
    assert seen["cached_tokens"] == 39 * 4
    assert (seen["block_size"], seen["cache_blocks"], seen["max_num_seqs"]) == (2, 50, 4)
    assert seen["source"] == "the engine"


def test_only_the_first_engine_of_a_run_is_forecast(tmp_path: Path) -> None:
    bench = Bench(tmp_path, SHARED)
    bench.drive(*(engine(block_size=2, die_after=15) for _ in range(3)))
    assert [seen["requests"] for seen in kept(bench)] == [40]


def test_an_engine_that_tells_of_no_cache_has_no_forecast(tmp_path: Path) -> None:
    bench = Bench(tmp_path, SHARED)
    bench.drive(engine())
    assert kept(bench) == []


@pytest.mark.parametrize("error", [RuntimeError("out of tokens"), MemoryError()])
def test_a_forecast_that_fails_harms_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def encode(self: ScriptedEngine, messages: Sequence[Message]) -> list[int]:
        if messages[0].content:
            raise error
        return []

    monkeypatch.setattr(ScriptedEngine, "encode", encode)
    bench = Bench(tmp_path, SHARED)
    assert bench.drive(engine(block_size=2)) is True
    assert bench.counts().answered == 40
    assert kept(bench) == []
