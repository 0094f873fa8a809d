"""The numbers of an answer, made of what a pooler gives."""

import base64
from typing import Any

import numpy as np
import pytest

from llmbatch.core.records import Ask
from llmbatch.engines.pooling import Pooling
from llmbatch.engines.vllm import pooled_numbers

UNIT = Pooling("vector", "mean", normalized=True, width=2)
A, B = np.array([3.0, 4.0]), np.array([0.0, 1.0])


def numbers(text: str) -> Any:
    return np.frombuffer(base64.b64decode(text), "<f4").tolist()


def embedding(vectors: list[Any], own: list[int], pooling: Pooling = UNIT, **ask: Any) -> Any:
    return numbers(pooled_numbers.embedding(pooling, Ask("embed", **ask), vectors, own))


def test_a_vector_has_the_length_that_is_wanted() -> None:
    assert embedding([A], [1]) == pytest.approx([0.6, 0.8])
    assert embedding([A], [1], normalize=False) == [3, 4]


def test_parts_count_by_their_tokens() -> None:
    assert embedding([A, B], [1, 3], normalize=False) == [0.75, 1.75]


def test_a_vector_that_is_cut_is_normalised_afterwards() -> None:
    wide = Pooling("vector", "mean", normalized=True, width=1)
    assert embedding([A], [1], wide, dimensions=1) == [1.0]


def test_another_width_than_the_files_say_is_an_error_of_the_engine() -> None:
    for vector in (np.zeros(3), np.zeros(1)):
        with pytest.raises(pooled_numbers.WidthError, match="the model's files say 2"):
            embedding([vector], [1])


def test_a_vector_of_zeros_stays_one() -> None:
    assert embedding([np.zeros(2)], [1]) == [0, 0]


@pytest.mark.parametrize(
    ("output", "expected"),
    [("sigmoid", [0.5, 1.0]), ("softmax", [0.0, 1.0]), ("raw", [0.0, 1000.0])],
)
def test_heads_of_each_kind(output: Any, expected: list[float]) -> None:
    text = pooled_numbers.heads(Pooling(output, width=2), np.array([0.0, 1000.0]))
    assert numbers(text) == expected


def test_a_score_of_two_vectors_is_their_cosine() -> None:
    assert numbers(pooled_numbers.score(Pooling("cosine", "mean"), [A, B])) == pytest.approx([0.8])
