"""The checks of answers against a constraint, which an engine may not have kept."""

import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import orjson

from llmbatch.constraints import intake
from llmbatch.constraints.json_check import Judge, Judgement, make_json_judge
from llmbatch.constraints.patterns import translate
from llmbatch.constraints.patterns.errors import PatternError
from llmbatch.core.errors import UsageError
from llmbatch.core.records import Constraint

Check = Callable[[str], str | None]
"""The reason why an answer breaks a constraint; None if it does not."""

# Up to so many characters, what takes a time in proportion to them is quick.
_SHORT = 20_000
# With these keywords the time that a schema takes may grow faster than the answer.
_SLOW_KEYWORDS = {
    *("pattern", "patternProperties", "$ref", "$dynamicRef", "$recursiveRef"),
    *("unevaluatedItems", "unevaluatedProperties"),
}
_REPEATS = re.compile(r"[*+?]|\{\d*,")


@lru_cache(maxsize=16)
def make_judge(constraint: Constraint | None) -> Judge:
    """The judge of answers to a constraint. Raises UsageError when the constraint is no good."""
    if constraint is not None and constraint.kind == "json":
        return make_json_judge(intake.take_text(constraint.value).text)
    check = _text_check(constraint)
    return lambda text: Judgement(check(text), text)


def make_check(constraint: Constraint | None) -> Check:
    """The check of a constraint: the reasons of its judge. Raises UsageError as that does."""
    judge = make_judge(constraint)
    return lambda text: judge(text).reason


def _text_check(constraint: Constraint | None) -> Check:
    if constraint is None:
        return lambda text: None
    makers = {"choice": _choice, "regex": _regex}
    return makers[constraint.kind](constraint.value)


def is_surely_quick(constraint: Constraint | None, text: str) -> bool:
    """True if the check of this answer takes a time in proportion to its length, so that it needs
    no bound. What is not simple enough to be sure of is not."""
    if constraint is None or constraint.kind == "choice":
        return True
    return len(text) <= _SHORT and _is_simple(constraint)


@lru_cache(maxsize=16)
def _is_simple(constraint: Constraint) -> bool:
    if constraint.kind == "regex":
        # Without groups and alternatives, one repetition leaves nothing to try in two ways.
        pattern = translate.whole(constraint.value).check
        return not {"(", "|"} & set(pattern) and len(_REPEATS.findall(pattern)) <= 1
    return not _SLOW_KEYWORDS & set(_keys(orjson.loads(constraint.value)))


def _keys(node: Any) -> Iterator[str]:
    """Every key of a schema, those that only name properties included."""
    if isinstance(node, dict):
        yield from node
    if isinstance(node, dict | list):
        for child in node.values() if isinstance(node, dict) else node:
            yield from _keys(child)


def _choice(value: str) -> Check:
    try:
        choices = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise UsageError("choice: an answer is not valid UTF-8") from error
    if len(set(choices)) != len(choices) or "" in choices:
        raise UsageError("choice: the answers must differ and none may be empty")
    allowed = frozenset(choices)
    return lambda text: None if text in allowed else f"{text[:80]!r} is not one of the choices"


def _regex(value: str) -> Check:
    try:
        pattern = re.compile(translate.whole(value).check)
    except (PatternError, re.error, OverflowError, RecursionError) as error:
        raise UsageError(f"regex: {error}") from error
    return lambda text: None if pattern.fullmatch(text) else "does not match the regex"
