"""The check and the grammar of a pattern against Python's own search, on every short text."""

import re

from hypothesis import assume, given, settings

from llmbatch.constraints.patterns.errors import PatternError
from llmbatch.constraints.patterns.translate import Pattern, search, whole
from tests.constraints.patterns.languages import TEXTS, as_python, language, patterns


def holds(found: Pattern, expected: set[str]) -> None:
    assert language(found.check) == expected
    if found.left_out:
        assert language(as_python(found.grammar)) >= expected
    else:
        assert language(as_python(found.grammar)) == expected


def compare(pattern: str) -> None:
    # Python's $ is also before a last line feed, its \B not in an empty text; ECMA's are not so.
    own = pattern.replace("$", r"\Z").replace(r"\B", r"(?!\b)")
    try:
        python = re.compile(own), re.compile(f"(?:{own})")
    except re.error:
        assume(False)
        return
    searched = {text for text in TEXTS if python[0].search(text)}
    matched = {text for text in TEXTS if python[1].fullmatch(text)}
    for translate, expected in ((search, searched), (whole, matched)):
        try:
            found = translate(pattern)
        except PatternError as error:
            assert error.position is None, error
            assert expected <= {""}
            continue
        holds(found, expected)


@settings(max_examples=25, deadline=None)
@given(patterns(looks=False))
def test_edges_mean_what_they_mean_to_python(pattern: str) -> None:
    compare(pattern)


@settings(max_examples=25, deadline=None)
@given(patterns(looks=True))
def test_looks_mean_what_they_mean_to_python(pattern: str) -> None:
    compare(pattern)
