"""The sign `shared`: a long answer that rows have whose inputs have no word in common."""

from functools import lru_cache

from llmbatch.quality.signs.base import TEXTS, Sign, Subject
from llmbatch.quality.signs.words import words_of

LEAST_LENGTH = 40
"""Characters of an answer that is looked at."""
_LEAST_WORD = 4


def look(subject: Subject) -> str | None:
    others = subject.shared_with
    if not others:
        return None
    own = _content(subject.input)
    strangers = sum(map(own.isdisjoint, map(_of_other, others)))
    if not own or 2 * strangers <= len(others):
        return None
    return "other rows with nothing in common have it, too"


def _content(text: str) -> set[str]:
    """The words that say something: of four characters or more, or of other scripts."""
    return {word for word in words_of(text) if len(word) >= _LEAST_WORD or not word.isascii()}


# All rows of one answer are compared with the same few others.
_of_other = lru_cache(maxsize=64)(_content)


SIGN = Sign(
    name="shared",
    meaning="the same long answer for rows that have nothing in common",
    threshold="40 characters or more, and no word of four letters or more in common with most of "
    "up to four other inputs that have this answer",
    look=look,
    forms=TEXTS,
)
