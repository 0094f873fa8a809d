"""Patterns of each kind: their members, what is no member, and what is refused with its place."""

import re

import pytest

from llmbatch.constraints.patterns.errors import PatternError
from llmbatch.constraints.patterns.translate import Pattern, search, whole


def test_open_ends_take_any_text() -> None:
    any_text = '"\\\n\r\u2028\x00é😀'
    for pattern in ("^ORD-", "ORD-$", "ORD-"):
        begins = "" if pattern.startswith("^") else any_text
        ends = "" if pattern.endswith("$") else any_text
        found = search(pattern)
        assert re.fullmatch(found.check, f"{begins}ORD-{ends}")
        assert not re.fullmatch(found.check, "ORD")
        assert found.needs_escapes
    assert search("^ORD-").grammar == r"ORD-[^\u{0}]*"


def test_a_pattern_is_one_value_with_its_two_sources() -> None:
    assert whole(r"\Aab\Z") == Pattern("ab", "ab", needs_escapes=False)


@pytest.mark.parametrize(
    ("pattern", "position", "words"),
    [
        ("a(?P<x>b)(?P=x)", 9, "write the group's pattern again"),
        (r"(a)\1", 3, "write the group's pattern again"),
        ("[[:alpha:]]", 1, "write A-Za-z"),
        ("a{,3}", 1, "write {0,n}"),
        ("(a", 0, "write )"),
        ("a)", 1, r"write \)"),
        ("[z-a]", 1, "lower character first"),
        (r"\q", 0, "write q"),
        ("*a", 0, r"write \*"),
        ("[]a]", 0, r"write \]"),
        ("[^]a]", 0, r"write \]"),
        (r"(?<n>a)\k<n>", 7, "write the group's pattern again"),
        ("(?(1)a|b)", 0, "write both cases"),
        ("(?>ab|a)c", 0, "write (?:"),
        ("(?:ab)*+", 6, "leave its + out"),
        ("(?L)a", 0, "leave it out"),
        (r"\p{Nonsense}", 0, "as ranges"),
        (r"[a&&b]", 2, "write the set that is left"),
        (r"[\w--b]", 3, "write the set that is left"),
        (r"\012", 0, r"write \x"),
        (r"\ud83d", 0, "as \\u{...}"),
        ("a**", 1, "write a group"),
        ("a{5,2}", 1, "write {2,5}"),
        ("a{2000000}", 1, "at most 1,000,000"),
        ("[a", 0, "write ]"),
        ("a\\", 1, r"write \\"),
    ],
)
def test_what_has_no_single_meaning_is_refused_with_its_place(
    pattern: str, position: int, words: str
) -> None:
    for translate in (whole, search):
        with pytest.raises(PatternError, match=f"at character {position + 1} of") as caught:
            translate(pattern)
        assert caught.value.position == position
        assert words in str(caught.value)
        assert "\n" not in str(caught.value)


def test_nul_and_deep_nesting_are_refused() -> None:
    with pytest.raises(PatternError, match="a NUL character cannot be asked for"):
        search(r"a\0")
    with pytest.raises(PatternError, match="nested too deep"):
        search("(" * 5000 + ")" * 5000)
    with pytest.raises(PatternError, match="only an empty text matches"):
        whole("^$")
    assert search("^$").grammar == ""


def test_one_character_that_is_always_an_escape_in_json_needs_guidance() -> None:
    for pattern, expected in (
        (r"^[a-z]+$", False),
        (r'^a"$', True),
        (r"^\S$", True),
        ("^.$", True),
    ):
        assert search(pattern).needs_escapes == expected


@pytest.mark.parametrize("pattern", ["foo^bar", "a$b", r"x\bx", "[]", "a(?=b)c", "x{3}(?<=y)$"])
def test_what_nothing_can_match_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError, match="no text can match"):
        search(pattern)
