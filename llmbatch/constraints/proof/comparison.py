"""Comparing what a grammar takes with what the check takes, by texts of both kinds."""

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from jsonschema import ValidationError
from jsonschema.protocols import Validator

from llmbatch.constraints import answer_json, intake, json_check
from llmbatch.constraints.check import make_check
from llmbatch.constraints.patterns import strings, translate
from llmbatch.constraints.proof.instances import instances
from llmbatch.constraints.proof.misses import misses
from llmbatch.constraints.proof.places import general, keyword_at, path_at
from llmbatch.constraints.proof.writing import read_schema, spellings
from llmbatch.constraints.schema_walk import subschemas
from llmbatch.core import clock
from llmbatch.core.records import Constraint

_SHOWN = 60  # characters of an example
_LONGEST = 4_000  # characters of a text
_MOST_SPACES = 60  # that a value without a schema may need

Taken = Sequence[int | None]
"""For each text the number of characters that a grammar took before it stopped; None: all of it."""
Accepts = Callable[[Sequence[str]], Taken]
"""Asks a grammar about texts."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One way in which a grammar and the check differ. `kind`: "narrower" if the grammar refuses
    what the check takes, "wider" if it takes what the check refuses; `keywords`: the place and the
    keyword of each fault that the check finds, the most telling first; `example`: a text."""

    kind: str
    place: str
    keyword: str
    example: str
    keywords: tuple[tuple[str, str], ...] = ()

    def line(self) -> str:
        """The difference for a person to read."""
        says = {
            "narrower": "the grammar refuses what the schema allows",
            "wider": "the grammar allows what the schema refuses",
        }[self.kind]
        return f"{self.keyword or 'an answer'} at {self.place}: {says}, such as {self.example}"


class Texts(NamedTuple):
    """Texts that a grammar is asked about. `instances`: the spellings of values that the check
    takes; `misses`: texts that it refuses."""

    instances: list[tuple[str, ...]]
    misses: list[str]


def make_texts(
    constraint: Constraint, count: int, seed: int = 0, *, seconds: float = math.inf
) -> Texts:
    """Up to so many values that a constraint allows, and about as many texts that it refuses;
    those that are found within a time."""
    end = clock.seconds() + seconds
    check = make_check(constraint)
    drawn = _of_schema if constraint.kind == "json" else _of_text
    good: dict[tuple[str, ...], None] = {}
    bad: dict[str, None] = {}
    for turn, (spelled, near) in enumerate(drawn(constraint.value, constraint.kind, count, seed)):
        wanted = spelled and len(good) < count and len(spelled[0]) <= _LONGEST
        if wanted and all(check(text) is None for text in spelled):
            good[spelled] = None
        for text in (*near, *spelled[:1]):
            if len(bad) < count and len(text) <= _LONGEST and check(text) is not None:
                bad[text] = None
        is_enough = len(good) >= count and len(bad) >= count
        if turn > 3 * count or is_enough or clock.seconds() > end:
            break
    return Texts(list(good), list(bad))


def _of_schema(
    text: str, kind: str, count: int, seed: int
) -> Iterator[tuple[tuple[str, ...], Sequence[str]]]:
    schema = read_schema(intake.take_text(text).text)
    chance = random.Random(seed)
    parts = [one.schema for one in subschemas(schema) if isinstance(one.schema, dict)]
    patterns = [part["pattern"] for part in parts if isinstance(part.get("pattern"), str)]
    for value in instances(schema, seed):
        near = (one for one in misses(value, patterns, chance) if _is_text(one))
        yield spellings(value), tuple(near)


def _of_text(
    value: str, kind: str, count: int, seed: int
) -> Iterator[tuple[tuple[str, ...], Sequence[str]]]:
    if kind == "choice":
        for text in answer_json.read(value):
            yield (text,), (text[:-1], text + " ", text + text, text.swapcase())
        return
    pattern = translate.whole(value)
    near = strings.near_misses(pattern, count, seed)
    for index, text in enumerate(strings.members(pattern, count, seed)):
        yield (text,) if _is_text(text) else (), tuple(filter(_is_text, near[index : index + 1]))


def _is_text(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def compare(constraint: Constraint, accepts: Accepts, texts: Texts) -> tuple[Difference, ...]:
    """The differences between a grammar and the check, one for each place and keyword."""
    firsts = [spelled[0] for spelled in texts.instances]
    taken = list(accepts([*firsts, *texts.misses]))
    refused = [one for one, end in zip(texts.instances, taken, strict=False) if end is not None]
    ends = [end for end in taken[: len(firsts)] if end is not None]
    found = list(_narrower(constraint, refused, ends, accepts))
    ends_of_misses = zip(texts.misses, taken[len(firsts) :], strict=True)
    found += _wider(constraint, [text for text, end in ends_of_misses if end is None])
    return tuple({(one.kind, one.place, one.keyword): one for one in reversed(found)}.values())


def _spaced(spelled: list[str], accepts: Accepts) -> Taken:
    """The result for texts where a space may stand wherever the grammar has one after a comma or
    a colon, which is no part of a value: xgrammar writes one in values without a schema."""
    now = list(spelled)
    taken: list[int | None] = list(accepts(spelled)) if spelled else []
    for _ in range(_MOST_SPACES):
        stuck = [
            index
            for index, end in enumerate(taken)
            if end and end < len(now[index]) and now[index][end - 1] in ",:"
        ]
        if not stuck:
            break
        for index in stuck:
            end = taken[index] or 0
            now[index] = f"{now[index][:end]} {now[index][end:]}"
        again = accepts([now[index] for index in stuck])
        for index, then in zip(stuck, again, strict=True):
            is_stuck = then is not None and then <= (taken[index] or 0)
            taken[index] = -1 if is_stuck else then  # the space was no way on
    return [None if end is None else abs(end) for end in taken]


def _narrower(
    constraint: Constraint,
    refused: list[tuple[str, ...]],
    ends: list[int],
    accepts: Accepts,
) -> Iterator[Difference]:
    """Values of which no spelling is taken."""
    others = [text for spelled in refused for text in spelled]
    taken = dict(zip(others, _spaced(others, accepts), strict=True))
    is_json = constraint.kind == "json"
    root = read_schema(intake.take_text(constraint.value).text) if is_json else {}
    for spelled, first_end in zip(refused, ends, strict=True):
        if any(taken[text] is None for text in spelled):
            continue
        text, end = spelled[0], first_end
        for other in spelled[1:]:
            if (taken[other] or 0) > end:
                text, end = other, taken[other] or 0
        if not is_json:
            yield Difference("narrower", "$", constraint.kind, _shown(text, end))
            continue
        path = path_at(text, end)
        yield Difference("narrower", general(path), keyword_at(root, path), _shown(text, end))


def _wider(constraint: Constraint, accepted: list[str]) -> Iterator[Difference]:
    if constraint.kind != "json":
        yield from (Difference("wider", "$", constraint.kind, _shown(each, 0)) for each in accepted)
        return
    schema = answer_json.read(intake.take_text(constraint.value).text)
    json_check.prepare(schema)
    exact = json_check.validator(schema)
    for text in accepted:
        keywords = tuple(_faults(exact, text))
        place, keyword = keywords[0]
        yield Difference("wider", place, keyword, _shown(text, 0), keywords)


def _faults(exact: Validator, text: str) -> Iterator[tuple[str, str]]:
    """The places and keywords of what the check finds, the deepest first."""
    try:
        value = answer_json.read(text, numbered=True)
        answer_json.require_characters(text, value)
    except (answer_json.UnreadableError, RecursionError) as error:
        yield "$", str(error)[:_SHOWN]
        return
    found = [each for error in exact.iter_errors(value) for each in _all(error)]
    found.sort(key=lambda error: -len(error.absolute_path))
    seen = dict.fromkeys((general(tuple(e.absolute_path)), str(e.validator)) for e in found)
    yield from seen or [("$", "")]
    for fault in found:
        # A keyword around it, such as propertyNames, may be the one that a grammar leaves out.
        path = tuple(fault.absolute_path)
        around = [str(step) for step in fault.absolute_schema_path]
        places = [general(path[:length]) for length in range(len(path) + 1)]
        yield from ((place, word) for word in around for place in places)


def _all(error: ValidationError) -> Iterator[ValidationError]:
    yield error
    for below in error.context or ():
        yield from _all(below)


def _shown(text: str, end: int) -> str:
    """A text around the position where a grammar stopped."""
    begin = max(0, min(end - _SHOWN // 2, len(text) - _SHOWN))
    part = text[begin : begin + _SHOWN]
    return f"{'…' if begin else ''}{part}{'…' if begin + _SHOWN < len(text) else ''}"
