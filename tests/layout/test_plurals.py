"""No message counts one thing with a plural: "1 rows"."""

import ast
import re
from itertools import pairwise

import pytest

from tests.layout.sources import ROOT, SOURCES, parsed

# Of things that a message may count one of.
_PLURAL = re.compile(
    r" (?:more |other |further |distinct )?(row|request|run|answer|outcome|transaction|record|file"
    r"|column|chunk|line|job|device|attempt|prompt|sample|byte|violation|duplicate)s\b"
    r"(?!/s| per )"
)


def plurals(tree: ast.AST) -> list[str]:
    """The values of f-strings that stand right before such a plural, unless they are bounded from
    below in the same expression."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            for value, after in pairwise(node.values):
                text = str(after.value) if isinstance(after, ast.Constant) else ""
                if isinstance(value, ast.FormattedValue) and _PLURAL.match(text):
                    found.append(f"line {node.lineno}: {ast.unparse(value)}{text}")
    return found


def test_a_count_is_written_with_its_noun() -> None:
    """By `core.units.count`, which knows that one has no plural."""
    found = {
        f"{path.relative_to(ROOT)}, {plural}"
        for path in SOURCES
        for plural in plurals(parsed(path))
    }
    allowed = {each for each in found if any(known in each for known in _NEVER_ONE)}
    assert sorted(found - allowed) == []


# Counts that are never one where they are shown.
_NEVER_ONE = (
    "every.runs",  # of all runs beside the last one
    "{count} earlier runs",
    "{count} samples",
    "_per_second",
    "units.rate(",
    "usage.sequences / usage.steps",  # a mean
    "devices",
    "' and '.join(written)",  # rows of so many
    "{rows:,} rows of",
    "rows are too many",
    "columns: a sheet has",
    "columns separated by",
    "written:,} records instead of",
    "{read:,} rows are taken",
    "outcomes all failed for one reason",
    "lines, from the first to the last answer",
    "possible:,.0f} requests",
    "{count:,} rows are",
    "{rows:,} rows",  # beside the words for one
)


@pytest.mark.parametrize("text", ['f"{n:,} rows left"', 'f"all {n} other requests"'])
def test_such_a_plural_is_found(text: str) -> None:
    assert plurals(ast.parse(text))


def test_a_count_with_its_noun_is_not() -> None:
    assert not plurals(ast.parse("f\"{units.count(n, 'row')} left, of {n} in all\""))
