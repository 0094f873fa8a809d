"""The check and the grammar of a pattern against Python's own search, on every short text."""

import re

from hypothesis import assume, given, settings, strategies

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


_WRITTEN = (
    r"a|b|-|.|^|$|\b|\B|\d|\W|\s|[ab]|[^a]|[\w-]|[\w-.]|[-a]|[a-]|[[a]|[a&b]|\.|\-|\/|\n|\x41|\u0062|\cJ|{|}|{2}"
    r"|{1,}|{0,2}|{a}|]|*|+|?|*?|??|(|)|(?:|(?=|(?!|(?<=|(?<!|(?<n>|é|\u{1F600}|[^]|[]|\|(?i:|\p{Lu}|[\b]|{,2}"
)


@settings(max_examples=150, deadline=None)
@given(
    strategies.lists(strategies.sampled_from([*_WRITTEN.split("|"), "|"]), max_size=9).map("".join)
)
def test_any_text_is_translated_or_refused(pattern: str) -> None:
    try:
        found = search(pattern)
    except PatternError as error:
        assert error.position is None or 0 <= error.position <= len(pattern)
        return
    holds(found, language(found.check))


@settings(max_examples=25, deadline=None)
@given(patterns(looks=False))
def test_edges_mean_what_they_mean_to_python(pattern: str) -> None:
    compare(pattern)


@settings(max_examples=25, deadline=None)
@given(patterns(looks=True))
def test_looks_mean_what_they_mean_to_python(pattern: str) -> None:
    compare(pattern)
