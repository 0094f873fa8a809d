"""The sign `ungrounded`: a value, a number or a name in an answer that its row does not have.

For extraction; what is computed, translated or added from knowledge is not in the row either, so
the job says where to look (`grounded`).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from llmbatch.quality.signs.base import Sign, Subject
from llmbatch.quality.signs.sources import MONTH_OF, Source
from llmbatch.quality.signs.words import LONGEST

EVERYTHING = "all"
_NUMBER = re.compile(r"(?<!\w)[+-]?\d(?:[\d.,'\u2019]*\d)?(?!\w)")
_CODE = re.compile(r"(?=\w*\d)(?=\w*[^\W\d_])[\w-]*\w")
# In titles, and in German prose, capitals say nothing.
_MOST_CAPITALS = 0.4
_GERMAN = frozenset(
    ("der", "die", "das", "den", "dem", "ein", "eine", "und", "ist", "mit", "von", "im")
)
_FEWEST_GERMAN = 2
_AFTER_START = re.compile(r"(?<=[^.!?:\n\s\"“„»(])[ ]([^\W\d_]\w+)")
_MOST_SHOWN = 3


def look(subject: Subject) -> str | None:
    wanted = subject.job.settings.grounded
    if not wanted:
        return None
    source = Source(f"{subject.whole}\n{subject.job.instruction}")
    if isinstance(subject.value, Mapping):
        missing = [text for text in _values(subject.value, wanted) if not source.has(text)]
    elif EVERYTHING in wanted and isinstance(subject.value, str):
        missing = list(_missing_in(subject.value[:LONGEST], source))
    else:
        return None
    shown = [text[:40] for text in dict.fromkeys(missing)]
    return ", ".join(shown[:_MOST_SHOWN]) or None


def _values(answer: Mapping[str, Any], wanted: tuple[str, ...]) -> Iterator[str]:
    """The texts and numbers in the fields that are wanted, by their names at any depth."""
    for name, value in answer.items():
        if name in wanted or EVERYTHING in wanted:
            yield from _leaves(value)
        elif isinstance(value, Mapping):
            yield from _values(value, wanted)
        elif isinstance(value, list):
            for each in value:
                if isinstance(each, Mapping):
                    yield from _values(each, wanted)


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from _leaves(each)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def _missing_in(text: str, source: Source) -> Iterator[str]:
    """The numbers, codes and names of a prose text that the source does not have."""
    for pattern in (_NUMBER, _CODE):
        for found in pattern.finditer(text):
            if not source.has_number(found[0]):
                yield found[0]
    if len(_GERMAN.intersection(text.casefold().split())) >= _FEWEST_GERMAN:
        return
    inner = [found[1] for found in _AFTER_START.finditer(text)]
    names = [word for word in inner if word[0].isupper()]
    if len(names) <= _MOST_CAPITALS * len(inner):
        others = (name for name in names if name.casefold() not in MONTH_OF)
        yield from (name for name in others if not source.has(name))


SIGN = Sign(
    name="ungrounded",
    meaning="a value, number or name that the row does not have",
    threshold="not in the row, exactly or normalised; only in the fields of `grounded`, or with "
    "`all` in every field, and in texts in numbers, codes and capitalised words within sentences",
    look=look,
)
