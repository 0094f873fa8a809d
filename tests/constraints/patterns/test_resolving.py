"""Assertions without which a grammar is written, and those that it leaves out."""

import re

import pytest

from llmbatch.constraints.patterns.translate import search, whole
from tests.constraints.patterns.languages import as_python


@pytest.mark.parametrize(
    ("pattern", "grammar"),
    [
        ("^a|b$", r"a[^\u{0}]*|[^\u{0}]*b"),
        ("(^a$)|(^b$)", "[ab]"),
        ("^(?!-)[a-c]{1,63}(?<!c)$", "[a-c]{0,62}[ab]"),
        (r"^(?!.*\.\.)[a-z.]*$", r"(?:[a-z]|\.[a-z])*(?:|\.)"),
        (r"^[a-z]++$", "[a-z]+"),
    ],
)
def test_a_grammar_is_short_where_it_can_be(pattern: str, grammar: str) -> None:
    assert search(pattern).grammar == grammar


def test_large_counts_stay_counts() -> None:
    assert whole("(?!-)[a-z-]{3,5000}x").grammar == r"[a-z][\u{2d}a-z]{2,4999}x"


def test_a_look_that_no_grammar_holds_is_left_out_and_named() -> None:
    pattern = r"^(?=.{1,25300}$)(?!.*\.\.)[a-z.]+$"
    found = search(pattern)
    assert found.left_out == ("the assertion at character 2 of the pattern",)
    grammar, check = re.compile(as_python(found.grammar)), re.compile(found.check)
    for text, allowed in {"a.b": True, "a..b": False, "": False}.items():
        assert bool(grammar.fullmatch(text)) == bool(check.fullmatch(text)) == allowed
    assert grammar.fullmatch("a" * 26_000)
    assert not check.fullmatch("a" * 26_000)


def test_a_look_behind_of_several_lengths_is_worked_in_for_the_check_as_well() -> None:
    found = search("(?<=fo+)bar")
    assert re.fullmatch(found.check, "a foobar")
    assert not re.fullmatch(found.check, "fbar")


def test_what_cannot_be_counted_is_given_up_in_time() -> None:
    found = whole(r"((?=.{500}a)[ab]{500}){400}")
    assert found.left_out
    assert found.grammar == "(?:[ab]{500}){400}"
