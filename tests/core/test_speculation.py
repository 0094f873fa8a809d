"""Figures of drafted tokens."""

from dataclasses import asdict

from llmbatch.core.speculation import Speculation

ONE = Speculation(4, (4, 3), (3, 1))
OTHER = Speculation(2, (2, 1, 1), (1, 1, 0))


def test_they_add_up_and_are_taken_apart_again() -> None:
    both = ONE + OTHER
    assert both == Speculation(6, (6, 4, 1), (4, 2, 0))
    assert both - OTHER == Speculation(4, (4, 3, 0), (3, 1, 0))
    assert Speculation() + ONE == ONE


def test_the_share_that_was_accepted_by_position() -> None:
    assert ONE.acceptance == [0.75, 1 / 3]
    assert (ONE.draft_tokens, ONE.accepted_tokens) == (7, 4)
    assert Speculation(1, (), (1,)).acceptance == [0.0]


def test_stored_and_read() -> None:
    assert Speculation.from_json(asdict(ONE)) == ONE
    assert Speculation.from_json(None) == Speculation()
