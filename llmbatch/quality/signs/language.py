"""The sign `language`: an answer in another language than the one asked for.

The model of languages is asked only for answers that have few of the usual words of the job's
answers: it takes some 150 µs a text, and a second to load.
"""

import unicodedata
from collections import Counter
from collections.abc import Sequence

from llmbatch.quality.languages import Languages
from llmbatch.quality.signs.base import TEXTS, Sign, Subject
from llmbatch.quality.signs.words import LONGEST, words_of

FEWEST_LETTERS = 40
"""Letters of a text that has a verdict; a sign of Chinese or Japanese counts as four."""
FEWEST_ANSWERS = 20
MOST_ANSWERS = 200
_MAJORITY = 0.6
_LIKELY = 0.5
_USUAL_SHARE = 0.05
_MOST_USUAL = 60
_LEAST_USUAL, _LEAST_USUAL_SHARE = 3, 0.25
# Of languages that are taken for each other the first is named; dialects count as it.
_ALIKE = {"nn": "no", "da": "no", "bs": "hr", "sr": "hr", "ms": "id", "wuu": "zh", "yue": "zh",
          "pcm": "en", "gl": "pt", "lb": "de", "arz": "ar", "ary": "ar"}  # fmt: skip


def look(subject: Subject) -> str | None:
    job = subject.job
    if job.language is None or _is_usual(subject.words, job.usual_words):
        return None
    text, least = subject.text[:LONGEST], job.settings.language_probability
    if not _is_long(text):
        return None
    return _other_language(job.languages.ranked(text), alike(job.language), least)


def _other_language(ranked: Sequence[tuple[str, float]], asked: str, least: float) -> str | None:
    """The likeliest language, where it is another one than asked with a probability of `least`;
    None where no language is likely."""
    language, probability = ranked[0]
    as_asked = sum(chance for name, chance in ranked if alike(name) == asked)
    is_other = alike(language) != asked and as_asked <= 1 - least
    return alike(language) if is_other and probability >= _LIKELY else None


def language_of(text: str, least: float, languages: Languages) -> str | None:
    """The language of a text; None where it is too short, or less probable than `least`."""
    text = text[:LONGEST]
    if not _is_long(text):
        return None
    language, probability = languages.ranked(text)[0]
    return alike(language) if probability >= least else None


def alike(language: str) -> str:
    """One name for languages that are taken for each other."""
    return _ALIKE.get(language, language)


def majority(
    texts: Sequence[str], least: float, languages: Languages
) -> tuple[str | None, frozenset[str]]:
    """The language of most of these answers, and the words that are usual in them. None where
    fewer than 20 have a verdict, or no language has 60 % of them."""
    if sum(map(_is_long, texts)) < FEWEST_ANSWERS:
        return None, frozenset()
    found = [(language_of(text, least, languages), text) for text in texts]
    counted = Counter(language for language, _ in found if language is not None)
    total = counted.total()
    if total < FEWEST_ANSWERS:
        return None, frozenset()
    language, times = min(counted.items(), key=lambda pair: (-pair[1], pair[0]))
    if times < _MAJORITY * total:
        return None, frozenset()
    return language, usual_words([text for other, text in found if other == language])


def usual_words(texts: Sequence[str]) -> frozenset[str]:
    """The words that stand in many of these texts: those that hold its sentences together."""
    counted: Counter[str] = Counter()
    for text in texts:
        counted.update(word for word in set(words_of(text)) if not word.isdecimal())
    least = max(3, _USUAL_SHARE * len(texts))
    ranked = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))
    return frozenset(word for word, times in ranked[:_MOST_USUAL] if times >= least)


def _is_usual(words: Sequence[str], usual: frozenset[str]) -> bool:
    """True if the text has so many of the usual words that it is of their language."""
    found = [word for word in words if word in usual]
    return len(set(found)) >= _LEAST_USUAL and len(found) >= _LEAST_USUAL_SHARE * len(words)


def _is_long(text: str) -> bool:
    letters = sum(
        4 if "\u2e80" <= character <= "\ufaff" else 1
        for character in text[: 4 * FEWEST_LETTERS]
        if character.isalpha() or unicodedata.combining(character)
    )
    return letters >= FEWEST_LETTERS


SIGN = Sign(
    name="language",
    meaning="the answer is in another language than asked",
    threshold="40 letters or more, and another language than `language` (by default that of 60 % "
    "of 20 answers or more) with a probability of language_probability",
    look=look,
    forms=TEXTS,
)
