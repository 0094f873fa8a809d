"""The answers of a choice that a beginning leaves, against a look at every one of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.constraints.choice_left import ChoiceLeft

# Few letters, so that texts share beginnings; the last two share bytes within a character.
TEXTS = st.lists(st.text("abéè", min_size=1, max_size=5), min_size=1, unique=True)


@pytest.mark.parametrize(
    ("texts", "begun", "only"),
    [
        (("billing", "refund"), b"", None),
        (("billing", "refund"), b"r", "refund"),
        (("billing", "refund"), b"refund", "refund"),
        (("billing", "refund"), b"x", None),
        (("billing", "refund"), b"refunds", None),
        (("refund", "refunds"), b"refund", None),  # its end is not drawn yet
        (("refund", "refunds"), b"refunds", "refunds"),
        (("refunds", "refund", "re"), b"re", None),
        (("é", "è"), b"\xc3", None),
        (("é", "è"), b"\xc3\xa9", "é"),
        (("one",), b"", "one"),
    ],
)
def test_the_only_text_left(texts: tuple[str, ...], begun: bytes, only: str | None) -> None:
    assert ChoiceLeft(texts).only(begun) == only


@pytest.mark.parametrize(
    ("texts", "most"),
    [
        (("billing", "refund"), 1),
        (("billing", "bug", "refund"), 2),
        (("refund", "refunds"), 7),  # six letters, then one more, or the end
        (("positive", "negative", "neutral"), 3),
        (("é", "è"), 2),
        (("one",), 1),
        ((), 1),
    ],
)
def test_the_most_pieces_until_one_is_left(texts: tuple[str, ...], most: int) -> None:
    assert ChoiceLeft(texts).most_pieces == most


@given(TEXTS, st.data())
def test_any_way_to_spell_a_text_settles_it_in_the_most_pieces(
    texts: list[str], data: st.DataObject
) -> None:
    left, spelled = ChoiceLeft(texts), [text.encode() for text in texts]
    text = data.draw(st.sampled_from(spelled))
    begun, pieces = b"", 0
    while begun != text:
        size = data.draw(st.integers(1, len(text) - len(begun)))
        begun, pieces = text[: len(begun) + size], pieces + 1
        fitting = [other for other in spelled if other.startswith(begun)]
        assert left.only(begun) == (fitting[0].decode() if len(fitting) == 1 else None)
        if pieces >= left.most_pieces:
            assert len(fitting) == 1
    # Where the whole text leaves another one, the end is a piece as well.
    assert left.only(text) is not None or pieces < left.most_pieces


@given(TEXTS)
def test_the_bound_is_no_larger_than_it_has_to_be(texts: list[str]) -> None:
    left = ChoiceLeft(texts)
    longest = left.most_pieces - 1  # so many single bytes can leave two texts
    begun = [text.encode()[:longest] for text in texts if len(text.encode()) >= longest]
    if len(texts) > 1:
        assert any(left.only(each) is None for each in begun)


@given(TEXTS)
def test_a_text_is_settled_where_it_is_the_only_one(texts: list[str]) -> None:
    left = ChoiceLeft(texts)
    for text in texts:
        spelled, after = text.encode(), left.settled_after(text)
        only = [left.only(spelled[:end]) == text for end in range(len(spelled) + 1)]
        # Of a single text nothing is left to say; its first piece is drawn all the same.
        assert after == max(1, only.index(True) if any(only) else len(spelled) + 1)
    assert max(map(left.settled_after, texts)) == left.most_pieces
