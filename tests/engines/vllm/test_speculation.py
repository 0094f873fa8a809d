"""Speculative decoding: equal greedy answers, its figures, and the jobs that it is not for."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from llmbatch.core.speculation import Speculation
from llmbatch.engines import speculates
from llmbatch.engines.config import EngineConfig
from llmbatch.engines.vllm import engine as vllm
from llmbatch.engines.vllm import speculation, stats
from tests.engines.vllm import session
from tests.engines.vllm.apart import told_by

NGRAM = {"method": "ngram", "num_speculative_tokens": 4}


@pytest.fixture(scope="module")
def lives() -> Any:
    """One engine after the other, without drafts and with them."""
    return told_by("tests.engines.vllm.drafts")


@pytest.mark.engine
@pytest.mark.skipif(not session.has_vllm(), reason="vLLM is not installed")
def test_greedy_answers_are_the_same_with_drafts(lives: Any) -> None:
    plain, ngram = lives["plain"], lives["ngram"]
    assert ngram["answers"] == plain["answers"]
    assert ngram["output"] == plain["output"]
    found = Speculation.from_json(ngram["speculation"])
    assert found.accepted_tokens > 0.2 * ngram["output"]
    assert found.draft_tokens >= found.accepted_tokens
    assert len(found.acceptance) == 4
    assert ngram["steps"] < plain["steps"]
    # Each accepted token spares its request a place in a step.
    assert ngram["sequences"] + found.accepted_tokens == plain["sequences"]
    # A request counts once in a step, however many tokens it gets there.
    assert ngram["moments"] <= ngram["sequences"]
    assert Speculation.from_json(plain["speculation"]) == Speculation()


@pytest.mark.parametrize(
    ("options", "config"),
    [
        ({}, {}),
        ({"speculative_config": NGRAM}, NGRAM),
        ({"speculative_config": json.dumps(NGRAM)}, NGRAM),
        ({"speculative_config": "{"}, {}),
        ({"spec_method": "ngram", "spec_tokens": 4}, NGRAM),
        ({"speculative_config": {"num-speculative-tokens": 2}}, {"num_speculative_tokens": 2}),
    ],
)
def test_its_settings(options: dict[str, Any], config: dict[str, Any]) -> None:
    assert speculation.config_of(options) == config


@pytest.mark.parametrize(
    ("options", "tokens"),
    [
        ({}, 0),
        ({"speculative_config": NGRAM}, 4),
        ({"spec_method": "ngram", "spec_tokens": 2}, 2),
        ({"speculative_config": {"method": "mtp"}}, 8),
    ],
)
def test_how_many_tokens_it_drafts_is_known_before_a_start(
    options: dict[str, Any], tokens: int
) -> None:
    engine = vllm.create(EngineConfig(str(session.MODEL), options))
    assert speculates.draft_tokens_of(engine) == tokens


@pytest.mark.parametrize(
    ("config", "drawn", "is_kept"),
    [
        (NGRAM, False, False),
        (NGRAM, True, True),
        (NGRAM | {"rejection_sample_method": "standard"}, False, False),
        (NGRAM | {"rejection_sample_method": "synthetic"}, False, True),
        ({"method": "custom_class", "model": "a.B"}, False, True),
    ],
)
def test_it_is_in_the_keys_where_answers_could_change(
    config: dict[str, Any], drawn: bool, is_kept: bool
) -> None:
    options = {"dtype": "float32", "speculative_config": config}
    kept = speculation.without(options, drawn=drawn)
    assert kept == (options if is_kept else {"dtype": "float32"})


def test_a_greedy_job_keeps_its_answers_when_it_speculates() -> None:
    def identity(*, drawn: bool, **options: Any) -> dict[str, str]:
        return vllm.create(EngineConfig(str(session.MODEL), options, drawn=drawn)).identity()

    plain = identity(drawn=True)
    assert identity(drawn=False) == identity(drawn=False, speculative_config=NGRAM) == plain
    assert "speculative_config" in identity(drawn=True, speculative_config=NGRAM)


def test_a_job_whose_answers_are_drawn_is_told() -> None:
    options = {"speculative_config": NGRAM}
    (told,) = speculation.notices(options, drawn=True)
    assert "the same seed may draw others" in told
    assert speculation.notices(options, drawn=False) == speculation.notices({}, drawn=True) == []


def test_what_is_worth_trying() -> None:
    ways, _ = speculation.drafting({}, drawn=False)
    assert [way["method"] for way in ways["speculative_config"]][:2] == ["ngram", "ngram"]
    assert speculation.drafting({"speculative_config": NGRAM}, drawn=False) == ({}, [])
    none, told = speculation.drafting({}, drawn=True)
    assert (none, len(told)) == ({}, 1)


@pytest.mark.parametrize("drafted", [[3, 2], None])
def test_figures_of_a_step(drafted: list[int] | None) -> None:
    step = SimpleNamespace(num_drafts=3, num_draft_tokens=5, num_accepted_tokens_per_pos=[3, 1])
    if drafted is not None:
        step.num_draft_tokens_per_pos = drafted
    assert stats._drafted(step) == Speculation(3, (3, 2), (3, 1))
    assert stats._drafted(None) == Speculation()
