"""The common beginning of texts, bytes and tokens."""

from hypothesis import given
from hypothesis import strategies as st

from llmbatch.core.prefixes import count_shared


@given(st.text("ab", max_size=12), st.text("ab", max_size=12))
def test_shared_is_the_length_of_the_common_beginning(one: str, other: str) -> None:
    pairs = enumerate(zip(one, other, strict=False))
    expected = next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))
    assert count_shared(one, other) == expected
    assert count_shared(one.encode(), other.encode()) == expected
    assert count_shared([ord(c) for c in one], [ord(c) for c in other]) == expected
