"""Unchanged nights of a job, and a store in which others are profiled."""

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest

from llmbatch.quality.drift.comparison import Former
from llmbatch.store.database import Database
from llmbatch.store.opening import open_store
from tests.quality.drift.nights import night, profile_of

Nights = Callable[[int], list[Former]]


@pytest.fixture(scope="package")
def db(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with open_store(tmp_path_factory.mktemp("drift") / "job.duckdb") as database:
        yield database


@pytest.fixture(scope="package")
def unchanged(db: Database) -> Nights:
    """The first five nights of one source, by the number of their rows."""
    known: dict[int, list[Former]] = {}

    def nights(rows: int) -> list[Former]:
        if rows not in known:
            rng = random.Random(rows)
            known[rows] = [
                Former(
                    datetime(2026, 11, number + 1, tzinfo=UTC),
                    profile_of(db, night(rng, rows, number), f"{rows}-{number}"),
                )
                for number in range(5)
            ]
        return known[rows]

    return nights
