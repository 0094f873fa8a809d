"""The states of the rows, counted for reports."""

from llmbatch.store import results, runs
from llmbatch.store.database import Database
from llmbatch.store.results import FailedRow, FailureCount, LengthCounts, SavedTokens, SettledRows


def test_failures_are_counted_by_kind_with_an_example(healthy: Database) -> None:
    assert results.failures(healthy) == [
        FailureCount("template", 1, "no such column"),
        FailureCount("truncated", 1, "cut"),
    ]


def test_failed_rows_have_their_line(healthy: Database) -> None:
    assert results.failed_rows(healthy, 3) == [
        FailedRow("template", "4", 4, "no such column"),
        FailedRow("truncated", "2", 2, "cut"),
    ]
    assert results.failed_rows(healthy, 0) == []


def test_rows_are_counted_by_their_attempts(healthy: Database) -> None:
    assert results.rows_by_attempts(healthy) == [SettledRows(0, 0, 1), SettledRows(1, 2, 1)]


def test_a_shared_answer_has_one_length(healthy: Database) -> None:
    assert results.length_counts(healthy) == LengthCounts({9: 1}, {1: 1})


def test_tokens_that_were_not_computed_belong_to_the_run_that_answered(healthy: Database) -> None:
    assert results.duplicate_tokens(healthy) == {1: SavedTokens(1, 9, 1)}
    assert results.reused_tokens(healthy, 1) == {}
    assert results.reused_tokens(healthy, 2) == {1: SavedTokens(1, 9, 1)}
    runs.reopen(healthy, runs.dead(healthy, []))
    assert [failure.kind for failure in results.failures(healthy)] == ["template"]
