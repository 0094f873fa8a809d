"""The patterns of schema makers: their texts by the check and by the grammar, read by Python."""

import re

import pytest

from llmbatch.constraints.patterns.translate import search
from tests.constraints.patterns.languages import as_python
from tests.constraints.patterns.makers import MADE, Made


@pytest.mark.parametrize("made", MADE, ids=lambda made: made.name)
def test_a_pattern_has_its_texts_and_no_others(made: Made) -> None:
    found = search(made.pattern)
    assert found.left_out == ()
    for source in (found.check, as_python(found.grammar)):
        matches = re.compile(source).fullmatch
        assert [text for text in made.members if not matches(text)] == []
        assert [text for text in made.others if matches(text)] == []


def test_the_table_is_large_and_without_doubles() -> None:
    assert len({made.name for made in MADE}) == len({made.pattern for made in MADE}) == len(MADE)
    assert len(MADE) > 70
