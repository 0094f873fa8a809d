"""The share of answers that is copied from their prompts."""

import pytest

from llmbatch.tune.copying import copied_share
from tests.engines.vllm.requests import ask


@pytest.mark.parametrize(
    ("answer", "share"),
    [
        ("", 0.0),
        ("the order is late", 1.0),
        ("order the late is", 0.0),
        ("I see: the order is late today", 4 / 7),
        ("the order", 0.0),  # too short to have been looked up
    ],
)
def test_words_in_runs_of_three_count(answer: str, share: float) -> None:
    request = ask("Repeat this: the order is late")
    assert copied_share([request], {request.key: answer}) == pytest.approx(share)


def test_answers_are_weighed_by_their_words() -> None:
    one, other = ask("a b c"), ask("x y z")
    answers = {one.key: "a b c", other.key: "p q r s t u v w x"}
    assert copied_share([one, other], answers) == 3 / 12
    assert copied_share([one], {}) == 0.0
