"""Rows of which several samples are asked for: their states, counts and tokens."""

from pathlib import Path
from typing import Any

import duckdb
import orjson
import pytest

from llmbatch.core import clock
from llmbatch.core.outcomes import Verdict
from llmbatch.core.records import Record
from llmbatch.store import plans, results, runs, snapshots
from llmbatch.store.database import Database
from llmbatch.store.opening import open_store
from llmbatch.store.rendered_rows import RenderedRow
from llmbatch.store.results import Counts, FailureCount, SettledRows
from llmbatch.store.runs import Attempt
from llmbatch.store.snapshots import Row, Source
from tests.store.older import make_older

SAMPLES = 3


def key(row: int, sample: int) -> str:
    return f"{row:016x}{sample:016x}"


def rows_of(numbers: dict[int, int]) -> list[RenderedRow]:
    """Rows with so many samples each; none: no request could be made."""
    return [
        each
        for row, samples in numbers.items()
        for each in (
            [
                RenderedRow(row, key(row, n), None, None, f"ask {row}", sample=n, samples=samples)
                for n in range(samples)
            ]
            or [RenderedRow(row, None, "template", "no column", None)]
        )
    ]


def plan(db: Database, numbers: dict[int, int], *, votes: bool = False) -> None:
    plans.replace(db, 1, f"{numbers}{votes}", [rows_of(numbers)], None, votes=votes)


@pytest.fixture
def planned(db: Database) -> Database:
    """Rows 1 and 2 have three samples, row 3 one, row 4 no request."""
    rows = [Row(n, str(n), Record(n, '{"t": "x"}')) for n in range(1, 5)]
    snapshots.replace(db, rows, lambda: Source("in.jsonl", "jsonl", "digest", None, ["t"]))
    plan(db, {1: 3, 2: 3, 3: 1, 4: 0})
    runs.begin(db, 1, clock.moment(), {})
    return db


def settle(
    db: Database, row: int, sample: int, answer: str | None, finish: str = "stop", attempt: int = 1
) -> None:
    """One try with 10 tokens of prompt and 2 of output; one without an answer is dead."""
    verdict, kind = (Verdict.ANSWERED, None) if answer else (Verdict.DEAD, "truncated")
    made = Attempt(
        key(row, sample), attempt, verdict, kind, kind and f"sample {sample} was cut", finish,
        answer or "cu", 10, 4, 2,
    )  # fmt: skip
    checkpoint(db, made)


def checkpoint(db: Database, made: Attempt) -> None:
    number = db.scalar("SELECT count(*) + 1 FROM checkpoints")
    runs.checkpoint(db, 1, number, [made], {})


def states(db: Database) -> dict[int, str]:
    return dict(db.execute("SELECT row, state FROM row_states ORDER BY row"))


def row(db: Database, number: int) -> dict[str, Any]:
    wanted = ["answered", "failed", "pending"]
    (found,) = [one for one in results.in_input_order(db, wanted) if one["row"] == number]
    return found


def test_each_sample_has_a_request_of_its_own(planned: Database) -> None:
    found = plans.requests(planned, 0, 99)
    assert [one.key for one in found] == [
        *(key(1, n) for n in range(3)), *(key(2, n) for n in range(3)), key(3, 0)
    ]  # fmt: skip
    assert [one.sample for one in found] == [0, 1, 2, 0, 1, 2, 0]
    assert [one.rows for one in found] == pytest.approx([1 / 3] * 6 + [1])
    assert plans.requests_at(planned, [1, 6])[0] == found[1]
    characters, rows = plans.pending_size(planned)
    assert (characters, round(rows, 9)) == (len("ask 1") * 7, 3)
    assert plans.counts(planned) == plans.PlanCounts(4, 3, 3, 7, 0, 0)


def test_a_row_is_answered_when_all_its_samples_are(planned: Database) -> None:
    for sample in (2, 0):
        settle(planned, 1, sample, f'say "{sample}"')
        assert states(planned) == {1: "pending", 2: "pending", 3: "pending", 4: "failed"}
        assert (row(planned, 1)["answer"], row(planned, 1)["run"]) == (None, None)
    settle(planned, 1, 1, "one")
    assert states(planned) == {1: "answered", 2: "pending", 3: "pending", 4: "failed"}
    found = row(planned, 1)
    assert orjson.loads(found["answer"]) == ['say "0"', "one", 'say "2"']
    assert (found["samples"], found["request"], found["finish_reason"]) == (3, key(1, 0), "stop")
    assert (found["prompt_tokens"], found["cached_tokens"], found["output_tokens"]) == (30, 12, 6)
    assert results.counts(planned) == Counts(answered=1, failed=1, pending=2)
    assert row(planned, 3)["samples"] == 1


def test_one_whose_sample_failed_is_failed_for_that_reason(planned: Database) -> None:
    settle(planned, 1, 1, None, "length")
    assert states(planned)[1] == "pending"
    settle(planned, 1, 0, "yes")
    settle(planned, 1, 2, None, "context")
    found = row(planned, 1)
    assert (found["state"], found["kind"], found["answer"]) == ("failed", "truncated", "cu")
    assert found["message"] == "sample 1 was cut (2 of 3 samples failed)"
    assert (found["finish_reason"], found["output_tokens"]) == ("length", 6)
    assert found["wasted_output_tokens"] == 0
    assert results.failures(planned)[1] == FailureCount("truncated", 1, found["message"])
    assert results.rows_by_attempts(planned) == [SettledRows(0, 0, 1), SettledRows(1, 0, 1)]


def test_where_samples_vote_a_failed_one_abstains(planned: Database) -> None:
    plan(planned, {1: 3, 2: 3, 3: 1, 4: 0}, votes=True)
    settle(planned, 1, 0, None)
    settle(planned, 1, 1, "yes")
    assert states(planned)[1] == "pending"
    settle(planned, 1, 2, "yes", "length")
    for sample in range(3):
        settle(planned, 2, sample, None)
    assert states(planned) == {1: "answered", 2: "failed", 3: "pending", 4: "failed"}
    found = row(planned, 1)
    assert orjson.loads(found["answer"]) == [None, "yes", "yes"]
    assert (found["kind"], found["message"], found["finish_reason"]) == (None, None, "length")
    assert results.cut_answers(planned) == 1
    plan(planned, {1: 3, 2: 3, 3: 1, 4: 0})
    assert states(planned)[1] == "failed"


def test_more_samples_wait_beside_the_answered_ones(planned: Database) -> None:
    for sample in range(3):
        settle(planned, 1, sample, "yes")
    plan(planned, {1: 5, 2: 3, 3: 1, 4: 0})
    assert states(planned)[1] == "pending"
    waiting = plans.pending(planned).positions
    keys = {one.key for one in plans.requests_at(planned, list(waiting))}
    assert keys == {key(1, 3), key(1, 4), *(key(2, n) for n in range(3)), key(3, 0)}
    assert plans.pending_size(planned)[1] == pytest.approx(2 / 5 + 1 + 1)
    plan(planned, {1: 2, 2: 3, 3: 1, 4: 0})
    assert orjson.loads(row(planned, 1)["answer"]) == ["yes", "yes"]
    assert set(results.violations(planned).values()) == {0}


def test_tries_before_the_last_are_wasted_in_all_samples(planned: Database) -> None:
    for sample in range(3):
        again = Attempt(
            key(1, sample), 1, Verdict.RETRY, "truncated", "cut", "length", "c", 10, 0, 5
        )
        checkpoint(planned, again)
        settle(planned, 1, sample, "yes", attempt=2)
    found = row(planned, 1)
    assert (found["wasted_prompt_tokens"], found["wasted_output_tokens"]) == (30, 15)
    assert (found["output_tokens"], found["attempt"]) == (6, 2)


def test_a_reopened_sample_makes_its_row_wait(planned: Database) -> None:
    settle(planned, 1, 0, None)
    settle(planned, 1, 1, "yes")
    settle(planned, 1, 2, "yes")
    dead = runs.dead(planned, [])
    assert dead["rows"] == pytest.approx([1 / 3])
    assert runs.reopen(planned, dead) == pytest.approx(1 / 3)
    assert states(planned)[1] == "pending"
    settle(planned, 1, 0, "no", attempt=2)
    assert orjson.loads(row(planned, 1)["answer"]) == ["no", "yes", "yes"]


def test_rows_that_share_their_samples_count_once_each(planned: Database) -> None:
    shared = [each._replace(row=n) for n in (1, 2) for each in rows_of({1: 3})]
    plans.replace(planned, 1, "shared", [[*shared, *rows_of({3: 1, 4: 0})]], None)
    assert plans.counts(planned) == plans.PlanCounts(4, 3, 3, 4, 1, 0)
    for sample in range(3):
        settle(planned, 1, sample, "yes")
    assert results.duplicates_answered(planned) == 1
    assert plans.settled_rows(planned) == 2
    saved = results.duplicate_tokens(planned)[1]
    assert (saved.prompt_tokens, saved.output_tokens) == (30, 6)
    assert set(results.violations(planned).values()) == {0}


def test_repetitions_of_samples_get_keys_of_their_own(planned: Database) -> None:
    def own(key: str, number: int) -> str:
        return f"{int(key, 16) + 2**64 * 16 * number:032x}"

    shared = [each._replace(row=n) for n in (1, 2) for each in rows_of({1: 3})]
    plans.replace(planned, 1, "each", [[*shared, *rows_of({3: 1, 4: 0})]], own)
    found = planned.execute(
        "SELECT row, sample, CAST(key AS VARCHAR) FROM planned_rows WHERE key IS NOT NULL"
    )
    keys = {(row, sample): key.replace("-", "") for row, sample, key in found}
    for sample in range(3):
        assert keys[1, sample] == key(1, sample)
        assert keys[2, sample] == own(key(1, sample), 1)


@pytest.mark.skipif(duckdb.__version__ < "2", reason="this DuckDB does not see it")
def test_states_of_rows_without_samples_cost_nothing_for_those_with_some(healthy: Database) -> None:
    """DuckDB knows that this part is empty, and makes no table of attempts to share with it."""
    explained = healthy.execute("EXPLAIN SELECT state, count(*) FROM row_states GROUP BY state")
    text = explained[0][1]
    assert "Empty Result" in text
    assert text.count("job.main.attempts") == 2


def test_long_messages_of_samples_lie_in_the_file_once(planned: Database) -> None:
    text = "long " * 50_000
    long = [each._replace(messages=text) for each in rows_of({1: 3})]
    plans.replace(planned, 1, "long", [[*long, *rows_of({2: 1, 3: 1, 4: 0})]], None)
    places = planned.execute("SELECT DISTINCT text_at FROM requests WHERE text_at IS NOT NULL")
    assert len(places) == 1
    assert {one.messages for one in plans.requests(planned, 0, 9)} == {text, "ask 2", "ask 3"}


def test_a_store_of_before_has_one_sample_of_each_row(tmp_path: Path, healthy: Database) -> None:
    before = healthy.execute("SELECT row, key, state, kind, answer FROM row_states ORDER BY row")
    shares = plans.pending_size(healthy)
    healthy.close()
    make_older(tmp_path / "job.duckdb", 13)
    with open_store(tmp_path / "job.duckdb") as db:
        after = db.execute("SELECT row, key, state, kind, answer FROM row_states ORDER BY row")
        assert after == before
        assert db.execute("SELECT DISTINCT sample, samples FROM planned_rows") == [(0, 1)]
        assert plans.pending_size(db) == shares
        assert set(results.violations(db).values()) == {0}
