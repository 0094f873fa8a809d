"""The requests that the engine is given, and their order."""

from pathlib import Path
from typing import Any

import pytest

from llmbatch.pipeline.run.feed import RequestFeed
from llmbatch.store import plans
from tests.workbench import Bench, engine


@pytest.mark.parametrize("chunk_size", [1, 7, 4096])
def test_groups_of_a_prefix_stay_whole_across_chunks(tmp_path: Path, chunk_size: int) -> None:
    """The order in which requests are computed does not depend on where chunks end."""
    ledger = tmp_path / "ledger"
    texts = [f"group {number % 5} row {number:02d}" for number in range(40)]
    bench = Bench(tmp_path / "job", texts, run={"chunk_size": chunk_size})
    assert bench.drive(engine(ledger=str(ledger)))
    planned = bench.db.execute(
        "SELECT replace(key::VARCHAR, '-', '') FROM requests ORDER BY position"
    )
    assert ledger.read_text().split() == [key for (key,) in planned]
    prompts = bench.db.execute("SELECT messages FROM requests ORDER BY position")
    groups = [messages.split("group ")[1][0] for (messages,) in prompts]
    assert groups == sorted(groups)


def feeds(bench: Bench, **options: int | float | str) -> int:
    """Work to the end; the number of feeds, between which an engine runs dry."""
    given, ask = [], bench.rounds.next

    def counted() -> RequestFeed | None:
        given.append(ask())
        return given[-1]

    bench.rounds.next = counted  # type: ignore[method-assign]
    assert bench.drive(engine(**options))
    return len(given) - 1


def test_the_engine_does_not_run_dry_before_retries(tmp_path: Path) -> None:
    texts = [f"{number:02d} " + "LENGTH:3" * (number % 3 == 0) for number in range(40)]
    changes: dict[str, Any] = {"sampling": {"max_tokens": 2}, "run": {"chunk_size": 4}}
    bench = Bench(tmp_path, texts, **changes)
    assert feeds(bench, window=4, delay=0.005) == 1
    assert bench.counts().answered == 40
    tries = "SELECT attempt, count(*) FROM attempts GROUP BY attempt ORDER BY attempt"
    assert bench.db.execute(tries) == [(1, 40), (2, 14)]


def test_a_request_that_fails_last_is_tried_again_in_a_pass_of_its_own(tmp_path: Path) -> None:
    bench = Bench(tmp_path, ["a", "b LENGTH:3"], sampling={"max_tokens": 2})
    assert feeds(bench, window=4, delay=0.005) == 2
    assert bench.counts().answered == 2


@pytest.mark.parametrize("positions", [[3], [0, 1, 39], [0, 39], list(range(0, 40, 2))])
def test_requests_at_gives_those_and_no_other(tmp_path: Path, positions: list[int]) -> None:
    bench = Bench(tmp_path, [f"{number:02d}" for number in range(40)])
    found = plans.requests_at(bench.db, positions)
    assert [planned.position for planned in found] == positions
