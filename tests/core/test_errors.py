"""Hints name the word that was meant."""

import pytest

from llmbatch.core.errors import nearest


@pytest.mark.parametrize(
    ("word", "known", "hint"),
    [
        ("txt", ["id", "text"], " (did you mean 'text'?)"),
        ("TEXT", ["id", "Text"], " (did you mean 'Text'?)"),
        ("max_token", ["max_tokens", "min_p"], " (did you mean 'max_tokens'?)"),
        ("Straße", ["strasse"], " (did you mean 'strasse'?)"),
        ("zzz", ["id", "text"], ""),
        ("text", [], ""),
        ("", ["text"], ""),
    ],
)
def test_the_nearest_word_is_named(word: str, known: list[str], hint: str) -> None:
    assert nearest(word, known) == hint


def test_what_is_known_may_come_as_any_iterable() -> None:
    assert nearest("alpa", (name for name in ("alpha", "beta"))) == " (did you mean 'alpha'?)"
