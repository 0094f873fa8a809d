"""Jobs of a cross-encoder and of a classifier on vLLM, in one process, against transformers."""

from typing import Any

import pytest

from tests.engines.vllm import session
from tests.pooling import process

pytestmark = session.needs_vllm


@pytest.fixture(scope="module")
def done() -> Any:
    return process.result_of("pairs")


def test_scores_are_those_of_transformers(done: Any) -> None:
    ours = [record["response"] for record in done["scored"]["records"][:2]]
    assert ours == pytest.approx(done["scores"], abs=1e-5)
    assert abs(ours[0] - ours[1]) > 1e-3


def test_a_document_is_cut_as_its_own_tokenizer_cuts_it(done: Any) -> None:
    (long,) = [record for record in done["scored"]["records"] if record["cut"]]
    assert long["d"].startswith("the order is late")
    assert long["response"] == pytest.approx(done["cut_score"], abs=1e-5)
    assert long["cut"] == 120 - (64 - 3 - 2)


def test_every_score_says_what_it_is_and_so_does_the_engine(done: Any) -> None:
    records = done["scored"]["records"]
    assert {record["score_kind"] for record in records} == {"sigmoid"}
    assert done["scored"]["pooling"]["output"] == "sigmoid"
    assert sorted(record["rank"] for record in records) == [1, 1, 2, 2]


def test_a_pair_without_a_document_is_not_asked(done: Any) -> None:
    assert (done["scored"]["code"], done["scored"]["errors"]) == (0, [])
    assert all(record["d"] for record in done["scored"]["records"])


def test_probabilities_are_those_of_transformers(done: Any) -> None:
    records = done["classified"]["records"][:2]
    for record, theirs in zip(records, done["probabilities"], strict=True):
        ours = record["probabilities"]
        labels = ("billing", "refund", "other")
        assert [ours[label] for label in labels] == pytest.approx(theirs, abs=1e-5)
        assert list(ours) == sorted(ours, key=ours.__getitem__, reverse=True)
        assert (record["response"], record["confidence"]) == next(iter(ours.items()))
        assert (record["runner_up"], record["runner_up_confidence"]) == [*ours.items()][1]
        assert record["label_mass"] is None


def test_a_text_that_is_too_long_for_the_head_fails(done: Any) -> None:
    (error,) = done["classified"]["errors"]
    assert error["error"]["kind"] == "too_long"
    assert error["error"]["message"] == "text has 122 tokens, the model takes 64"
    assert done["classified"]["pooling"]["labels"] == ["billing", "refund", "other"]
