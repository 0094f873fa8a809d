"""The figures of a job's rules: how often each was broken, and the rows that failed for it."""

from collections.abc import Sequence

from llmbatch.core import units
from llmbatch.job.checks import CheckRule
from llmbatch.store import rule_rows
from llmbatch.store.database import Database


def lines(db: Database, rules: Sequence[CheckRule]) -> list[str]:
    """A line for each rule that answers of the current plan have broken, most broken first."""
    found = rule_rows.failures(db, [rule.name for rule in rules]) if rules else []
    return [
        f"check {one.name}: broken by {units.count(one.tries, 'answer')}"
        + (f", {units.count(max(1, round(one.rows)), 'row')} failed for it" if one.rows else "")
        for one in found
    ]
