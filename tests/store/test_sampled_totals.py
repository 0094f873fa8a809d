"""With samples, equal rows, failures and retries, every total is that of its parts."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmbatch.core import clock
from llmbatch.core.outcomes import Verdict
from llmbatch.core.records import Record
from llmbatch.store import plans, results, runs, snapshots, usage_shares
from llmbatch.store.database import Database
from llmbatch.store.opening import open_store
from llmbatch.store.plans import SKIPPED
from llmbatch.store.rendered_rows import RenderedRow
from llmbatch.store.runs import Attempt
from llmbatch.store.snapshots import Row, Source
from llmbatch.store.usage_shares import RunRates

FATES = ("answered", "dead", "again and answered", "again and dead", "again", "nothing")
Fates = dict[tuple[int, int], str]


@dataclass(frozen=True)
class Told:
    """Rows by what they ask (0: no request can be made, 1: skipped), how many samples of each,
    whether equal rows are computed each, whether samples vote, and the fate of each request."""

    asked: list[int]
    samples: int
    each: bool
    votes: bool
    fates: list[str]


JOBS = st.builds(
    Told,
    st.lists(st.integers(0, 5), min_size=1, max_size=8),
    st.integers(1, 4),
    st.booleans(),
    st.booleans(),
    st.lists(st.sampled_from(FATES), min_size=1, max_size=12),
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with open_store(tmp_path_factory.mktemp("totals") / "job.duckdb") as db:
        yield db


def key(number: int, asked: int, sample: int) -> str:
    return f"{number:08x}{asked:08x}{sample:016x}"


def rendered(number: int, told: Told) -> list[RenderedRow]:
    none = {0: ("template", "no column"), 1: (SKIPPED, "t is empty")}
    return [
        RenderedRow(row, None, *none[asked], None)
        if asked in none
        else RenderedRow(
            row, key(number, asked, n), None, None, f"ask {asked}", sample=n, samples=told.samples
        )
        for row, asked in enumerate(told.asked, 1)
        for n in range(told.samples if asked not in none else 1)
    ]


def repeated(key: str, number: int) -> str:
    return f"{key[:16]}{number:08x}{key[24:]}"


def plan(db: Database, number: int, told: Told) -> int:
    rows = [
        Row(n, str(n), Record(n, orjson.dumps({"t": asked}).decode()))
        for n, asked in enumerate(told.asked, 1)
    ]
    source = Source("in.jsonl", "jsonl", f"digest {number}", None, ["t"])
    snapshot = snapshots.replace(db, list(rows), lambda: source).snapshot
    batches = [rendered(number, told)]
    repetition = repeated if told.each else None
    return plans.replace(db, snapshot, "p", batches, repetition, votes=told.votes).plan


def work(db: Database, run: int, told: Told) -> dict[str, list[Attempt]]:
    """Tries of all requests, each with tokens of its own; what each request had."""
    had: dict[str, list[Attempt]] = {}
    for number, request in enumerate(plans.requests(db, 0, 99)):
        fate = told.fates[number % len(told.fates)]
        tries = [Verdict.RETRY] * ("again" in fate)
        tries += [Verdict.ANSWERED] * fate.endswith("answered") + [Verdict.DEAD] * ("dead" in fate)
        had[request.key] = [
            Attempt(
                request.key,
                attempt,
                verdict,
                None if verdict == Verdict.ANSWERED else "truncated",
                None if verdict == Verdict.ANSWERED else "cut",
                "stop" if verdict == Verdict.ANSWERED else "length",
                f"answer {number % 3}",
                10 + number,
                number % 5,
                100 + 7 * number + attempt,
            )
            for attempt, verdict in enumerate(tries, 1)
        ]
    everything = [attempt for attempts in had.values() for attempt in attempts]
    if everything:
        runs.checkpoint(db, run, 1, everything, {})
    return had


def expected_states(db: Database, told: Told, had: dict[str, list[Attempt]]) -> list[str]:
    """The states of the rows, by what became of the requests of each."""
    keys: dict[int, list[str]] = {row: [] for row in range(1, len(told.asked) + 1)}
    for row, name in db.execute("SELECT row, CAST(key AS VARCHAR) FROM planned_rows ORDER BY row"):
        keys[row] += [name.replace("-", "")] if name else []
    states = []
    for row, asked in enumerate(told.asked, 1):
        last = [had[name][-1].verdict if had[name] else None for name in keys[row]]
        failed = last.count(Verdict.DEAD)
        if asked < 2:
            states.append("skipped" if asked else "failed")
        elif None in last or Verdict.RETRY in last:
            states.append("pending")
        elif failed == len(last) or (failed and not told.votes):
            states.append("failed")
        else:
            states.append("answered")
    return states


@settings(max_examples=12)
@given(told=JOBS)
def test_totals_add_up(store: Database, told: Told) -> None:
    number = int(store.scalar("SELECT count(*) + 1 FROM plans"))
    run = runs.begin(store, plan(store, number, told), clock.moment(), {})
    had = work(store, run, told)
    states = expected_states(store, told, had)
    found = store.execute("SELECT row, state FROM row_states ORDER BY row")
    assert found == list(enumerate(states, 1))
    counts = results.counts(store)
    assert counts.rows_in == len(told.asked)
    assert Counter(states) == Counter(
        {name: getattr(counts, name) for name in ("answered", "failed", "pending", "skipped")}
    )
    check_requests(store, told, had, counts.pending)
    check_tokens(store, run, told, had)
    assert {name for name, off in results.violations(store).items() if off} == set()


def check_requests(
    db: Database, told: Told, had: dict[str, list[Attempt]], pending_rows: int
) -> None:
    asked = [content for content in told.asked if content > 1]
    sizes, waiting = plans.counts(db), plans.pending_size(db)[1]
    different = len(asked) if told.each else len(set(asked))
    assert (sizes.rows, sizes.asked) == (len(told.asked), len(asked))
    assert sizes.requests == different * told.samples
    assert sizes.duplicates == len(asked) - different
    assert sum(one.rows for one in plans.requests(db, 0, 99)) == pytest.approx(len(asked))
    assert waiting + plans.settled_rows(db) == pytest.approx(len(asked))
    assert waiting <= pending_rows + 1e-9
    assert len(plans.pending(db).positions) == sum(
        not attempts or attempts[-1].verdict == Verdict.RETRY for attempts in had.values()
    )


def check_tokens(db: Database, run: int, told: Told, had: dict[str, list[Attempt]]) -> None:
    used = usage_shares.divide(db, ["t"], [RunRates(run, 1, 1, 1, 1, 1)], 99, [])
    everything = [attempt for attempts in had.values() for attempt in attempts]
    assert sum(share.output_tokens for share in used.most) == pytest.approx(
        sum(attempt.output_tokens for attempt in everything)
    )
    skipped = told.asked.count(1)
    assert sum(share.rows + share.pending_rows for share in used.most) == len(told.asked) - skipped
    assert sum(share.pending_rows for share in used.most) == results.counts(db).pending
    settled = {
        name: attempts[-1]
        for name, attempts in had.items()
        if attempts and attempts[-1].verdict != Verdict.RETRY
    }
    copies = {one.key: one.copies for one in plans.requests(db, 0, 99)}
    whole = list(results.in_input_order(db, ["answered", "failed"]))
    if results.counts(db).pending == 0:
        assert sum(row["output_tokens"] or 0 for row in whole) == sum(
            attempt.output_tokens * copies[name] for name, attempt in settled.items()
        )
        assert sum(row["wasted_output_tokens"] for row in whole) == sum(
            attempt.output_tokens * copies[name]
            for name, attempts in had.items()
            for attempt in attempts[:-1]
        )
    for row in whole:
        if row["state"] == "answered" and row["samples"] > 1:
            assert len(orjson.loads(row["answer"])) == told.samples
