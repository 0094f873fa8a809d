"""The sign `repetition`: an answer that says the same over and over, where its input does not."""

import re
from collections import Counter
from collections.abc import Sequence

from llmbatch.quality.signs.base import Sign, Subject
from llmbatch.quality.signs.words import LONGEST, repeated_share, words_of

_FEWEST_WORDS = 20
_SENTENCE = re.compile(r"[\n.!?。\uff01\uff1f]+")
_FEWEST_IN_SENTENCE = 12
_MOST_EQUAL = 2
_LONG_WORD = re.compile(r"[^\W_]{40,}")
_UNIT = re.compile(r"(.{1,8}?)\1{7,}")


def look(subject: Subject) -> str | None:
    text, words = subject.text, subject.words
    if len(text) < _FEWEST_IN_SENTENCE * 3:
        return None
    found = _sentence(text) or _unit(text) or _runs(words, subject.job.settings.repeated_share)
    # Of a song or a table the answer may repeat what is repeated.
    source = subject.input
    if found and (_sentence(source) or _unit(source) or _runs(words_of(source), 0.3)):
        return None
    return found


def _sentence(text: str) -> str | None:
    """A sentence or a line of 12 characters or more that stands there three times."""
    if len(text) < _FEWEST_IN_SENTENCE * 3:
        return None
    parts = [part.strip().casefold() for part in _SENTENCE.split(text[:LONGEST])]
    if len(parts) <= _MOST_EQUAL:
        return None
    counted = Counter(part for part in parts if len(part) >= _FEWEST_IN_SENTENCE)
    if not counted:
        return None
    ((sentence, times),) = counted.most_common(1)
    has_words = any(character.isalpha() for character in sentence)
    return f"a sentence {times} times" if times > _MOST_EQUAL and has_words else None


def _unit(text: str) -> str | None:
    """A part of a word, over and over."""
    for word in _LONG_WORD.findall(text[:LONGEST]):
        if (found := _UNIT.search(word)) is not None:
            return f"{found[1][:8]!r} over and over"
    return None


def _runs(words: Sequence[str], least: float) -> str | None:
    if len(words) < _FEWEST_WORDS:
        return None
    share = repeated_share(words)
    return f"{share:.0%} of its runs of words" if share >= least else None


SIGN = Sign(
    name="repetition",
    meaning="the answer says the same over and over, and its input does not",
    threshold="a sentence of 12 characters three times; a part of a word eight times; or of 20 "
    "words or more, a share of repeated_share of the runs of four words stand there before",
    look=look,
)
