"""The limit of answers to choices, and their end where one text is left."""

from collections.abc import Sequence

import pytest

from llmbatch.core.records import Constraint, Request, Sampling
from llmbatch.engines.vllm.early_end import EarlyEnd, Ended
from tests.engines.vllm.requests import ask, choice

PIECES = [b"", b"b", b"ref", b"und", b"s", b"refund", b"\xc3", b"\xa9", b"u", b"nd"]


def of(*texts: str, **sampling: object) -> Request:
    return ask("hello", choice(*texts), **sampling)


def test_the_limit_is_where_one_text_is_left() -> None:
    early = EarlyEnd(lambda: PIECES)
    assert early.sampling(of("billing", "refund")).max_tokens == 1
    assert early.sampling(of("refund", "refunds", max_tokens=20)).max_tokens == 7
    assert early.sampling(of("refund", "refunds", max_tokens=5)).max_tokens == 5
    sent = early.sampling(of("billing", "refund", temperature=0.7, top_p=0.9, seed=3))
    assert sent == Sampling(temperature=0.7, top_p=0.9, seed=3, max_tokens=1)


@pytest.mark.parametrize(
    "request_",
    [
        ask("hello"),
        ask("hello", Constraint("regex", "billing|refund")),
        of("billing", "refund", stop=("fund",)),  # it may cut the answer inside of a text
        of("billing", "refund", stop_token_ids=(3,)),
        of("billing", "refund", min_tokens=4),
        of("billing", "refund", ignore_eos=True),
        of("billing", "refund", logprobs=2),  # those of all its tokens are wanted
        ask("hello", Constraint("choice", "[1, 2]")),
        ask("hello", Constraint("choice", "{")),
    ],
)
def test_others_are_sent_and_end_as_they_are(request_: Request) -> None:
    early = EarlyEnd(lambda: PIECES)
    assert early.sampling(request_) is request_.sampling
    assert early.ended(request_, [1]) is None


def test_nothing_ends_early_where_the_pieces_are_not_known() -> None:
    early = EarlyEnd(lambda: None)
    asked = of("billing", "refund")
    assert early.sampling(asked) is asked.sampling
    assert early.ended(asked, [1]) is None


@pytest.mark.parametrize(
    ("texts", "tokens", "ended"),
    [
        (("billing", "refund"), [2], Ended("refund", 2)),  # "und" and the end
        (("billing", "refunds"), [2], Ended("refunds", 3)),
        (("billing", "refund"), [5], Ended("refund", 1)),
        (("refund", "refunds"), [5], None),
        (("refund", "refunds"), [2, 3], None),
        (("refund", "refunds"), [2, 3, 4], Ended("refunds", 1)),
        (("é", "b"), [6], Ended("é", 2)),  # within a character
        (("é", "è"), [6], None),
        (("billing", "refund"), [4], None),  # no text begins so
        (("xyz", "refund"), [], None),
    ],
)
def test_an_answer_ends_as_its_only_text(
    texts: Sequence[str], tokens: list[int], ended: Ended | None
) -> None:
    assert EarlyEnd(lambda: PIECES).ended(of(*texts), tokens) == ended


ALIKE = ("refund me billing", "refund me bb", "refund me us")


@pytest.mark.parametrize(
    ("texts", "sampling", "tokens", "settled"),
    [
        (ALIKE, {}, [5], False),  # "refund": any may follow
        (ALIKE, {}, [5, 10, 8], True),  # " me " and "u": two steps are left, "s" and the end
        (ALIKE, {}, [5, 10, 8, 4], False),  # the end alone: it is under way
        (ALIKE, {"max_tokens": 4}, [5, 10, 8], False),  # its limit ends it in the next step
        (ALIKE, {"max_tokens": 5}, [5, 10, 8], True),
        (ALIKE, {}, [4], False),  # no text begins so
    ],
)
def test_an_answer_is_taken_back_where_that_saves_a_step(
    texts: Sequence[str], sampling: dict[str, int], tokens: list[int], settled: bool
) -> None:
    early = EarlyEnd(lambda: [*PIECES, b" me "])
    look = early.is_settled(of(*texts, **{"max_tokens": 40} | sampling))
    assert look is not None
    assert look(tokens) == settled


@pytest.mark.parametrize(
    "request_",
    [
        ask("hello"),
        ask("hello", Constraint("regex", "refund|refunds")),
        of("refund", "refunds", stop=("x",)),
        of("billing", "refund"),  # the first piece settles it
        of("billing", "bug"),  # the second one, which is under way
        of("refund", "refunds", max_tokens=2),
    ],
)
def test_others_are_not_looked_at(request_: Request) -> None:
    assert EarlyEnd(lambda: PIECES).is_settled(request_) is None


def test_answers_whose_pieces_are_not_known_are_not_looked_at() -> None:
    assert EarlyEnd(lambda: None).is_settled(of("refund", "refunds", max_tokens=9)) is None
