"""Members and near-misses of patterns."""

import re

import pytest

from llmbatch.constraints.patterns.strings import members, near_misses
from llmbatch.constraints.patterns.translate import search, whole

PATTERNS = [
    *(
        "^ORD-",
        r"^\d{4}-\d{2}$",
        "foo",
        r"^[^@\s]+@[^@\s]+$",
        "(?i)^yes|no$",
        r"^(?!.*\.\.)[a-z.]+$",
    ),
    *(r"^\p{Lu}\p{Ll}*$", "^[a-z]{3,40}$", r"^(?=.{1,25300}$)[a-z]+$"),
]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_members_are_taken_and_near_misses_refused(pattern: str) -> None:
    found = search(pattern)
    taken, refused = members(found, 40), near_misses(found, 20)
    assert len(taken) >= 20 or pattern == "(?i)^yes|no$"
    assert len(refused) >= 5
    assert len(set(taken)) == len(taken)
    assert all(re.fullmatch(found.check, text) for text in taken)
    assert not any(re.fullmatch(found.check, text) for text in refused)


def test_a_seed_draws_the_same_texts() -> None:
    found = search("^ORD-")
    assert members(found, 9, 1) == members(found, 9, 1) != members(found, 9, 2)
    assert near_misses(found, 9, 1) == near_misses(found, 9, 1)


def test_open_ends_hold_quotes_line_feeds_and_other_scripts() -> None:
    text = "".join(members(search("^ORD-"), 60))
    assert all(each in text for each in '"\\\né日\U0001f600')


def test_counts_are_tried_at_both_ends() -> None:
    lengths = {len(text) for text in members(whole("[a-z]{3,40}"), 60)}
    assert min(lengths) == 3
    assert max(lengths) == 40


def test_a_pattern_of_few_texts_has_few_members() -> None:
    assert sorted(members(whole("yes|no"), 10)) == ["no", "yes"]
    assert near_misses(search(""), 10) == []
