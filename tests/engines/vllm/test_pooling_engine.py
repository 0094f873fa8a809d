"""vLLM's pooling runner with the bundled model: one life of it, in a process of its own."""

import json
from typing import Any

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.core.records import Ask, Constraint, Sampling
from llmbatch.engines.config import EngineConfig
from llmbatch.engines.vllm import kinds, pooling_engine
from tests.engines.vllm import session
from tests.pooling import process

needs_vllm = session.needs_vllm


@pytest.fixture(scope="module")
def life() -> Any:
    return process.result_of("life")


def marked(test: Any) -> Any:
    for mark in needs_vllm:
        test = mark(test)
    return test


@marked
def test_vectors_are_those_of_transformers(life: Any) -> None:
    assert life["cosine"] > 1 - 1e-9
    assert life["norms"] == pytest.approx([1.0] * 4, abs=1e-6)


@marked
def test_it_keeps_the_clauses_about_answers_that_are_no_text(life: Any) -> None:
    assert life["broken"] == []


@marked
def test_either_way_to_the_core_gives_the_same(life: Any) -> None:
    assert life["public"] == life["after"] == life["first"]


@marked
def test_tokens_are_counted_as_they_are_encoded_before(life: Any) -> None:
    assert [life["first"][str(n)]["tokens"] for n in range(4)] == life["encoded"]
    assert life["telemetry"] > sum(life["encoded"])
    assert life["steps"] >= 3


@marked
def test_a_text_that_is_too_long_fails_is_cut_or_split(life: Any) -> None:
    odd = life["odd"]
    assert odd["long"]["kind"] == "too_long"
    assert odd["long"]["message"].endswith("tokens, the model takes 64")
    assert odd["long"]["tokens"] == 0
    split, cut = json.loads(odd["split"]["text"]), json.loads(odd["cut"]["text"])
    assert split["parts"] > 1
    assert cut["cut"] == odd["split"]["tokens"] - 64
    assert len(split["vector"]) == len(cut["vector"])


@marked
def test_what_is_no_text_to_pool_fails_alone(life: Any) -> None:
    assert life["odd"]["empty"]["kind"] == "refused_request"
    assert life["odd"]["text"]["kind"] == "refused_request"


@marked
def test_the_started_engine_says_how_it_pools(life: Any) -> None:
    told = life["described"]["pooling"]
    assert (told["method"], told["normalized"], told["width"]) == ("last", True, 128)
    assert (told["max_length"], told["dtype"]) == (64, "float32")
    assert told["sources"]["method"] == "--pooling"


@marked
def test_its_window_bounds_what_it_pulls(life: Any) -> None:
    assert 0 < life["pulled"] <= life["described"]["window"]


@marked
def test_closing_from_another_thread_ends_a_run(life: Any) -> None:
    assert life["closed"] == "engine died: it was closed"


def create(ask: Ask, **options: Any) -> pooling_engine.PoolingEngine:
    engine = kinds.create(EngineConfig(str(session.MODEL), options, ask=ask))
    assert isinstance(engine, pooling_engine.PoolingEngine)
    return engine


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (Ask("embed"), "has no modules.json, so nothing says how .* say it with --pooling"),
        (Ask("score"), "this model makes no scores"),
        (Ask("heads"), "the model has no classification head"),
        (Ask("embed", pooling="last", dimensions=64), "--dimensions 64: .* is_matryoshka"),
    ],
)
def test_a_model_is_refused_for_what_it_cannot_give(ask: Ask, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        create(ask).check_ahead(Sampling(), None)


def test_its_makers_word_may_stand_in_an_option() -> None:
    ask = Ask("embed", pooling="last", dimensions=64)
    engine = create(ask, hf_overrides={"is_matryoshka": True})
    assert engine.pooling().width == 64


@pytest.mark.parametrize(
    ("options", "dtype", "source"),
    [
        ({}, "bfloat16", "config.json"),
        ({"dtype": "float32"}, "float32", "dtype"),
        (
            {"hf_overrides": {"dtype": "float32"}},
            "float16",
            "vLLM's choice for float32 weights",
        ),
    ],
)
def test_the_type_that_it_computes_in_is_foretold(
    options: dict[str, Any], dtype: str, source: str
) -> None:
    found = create(Ask("embed", pooling="last"), **options).pooling()
    assert (found.dtype, found.sources["dtype"]) == (dtype, source)


def test_numbers_have_no_form() -> None:
    with pytest.raises(UsageError, match="--choice is for texts"):
        create(Ask("embed", pooling="last")).check_ahead(Sampling(), Constraint("choice", '["a"]'))


@pytest.mark.parametrize("name", ["pooling_type", "use_activation", "task"])
def test_pooling_is_not_an_option_of_the_engine(name: str) -> None:
    with pytest.raises(UsageError, match="leave it out"):
        create(Ask("embed"), pooler_config={name: "MEAN"})


def test_other_asks_are_for_the_engine_that_writes() -> None:
    config = EngineConfig(str(session.MODEL), ask=Ask("labels", ("a", "b")))
    assert not isinstance(kinds.create(config), pooling_engine.PoolingEngine)
