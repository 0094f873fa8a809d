"""Runs keep what made their answers, and one that only applied rules has that of the run before."""

from llmbatch.core import clock
from llmbatch.store import makings, runs
from llmbatch.store.database import Database


def test_of_each_run_the_identity_and_the_last_engine_are_known(healthy: Database) -> None:
    now = clock.moment()
    run = runs.begin(healthy, 1, now, {}, made_by={"model": {"name": "m"}})
    for version in ("1", "2"):
        runs.engine_started(healthy, run, now, clock.moment(), {"version": version})
    first, second = makings.of_runs(healthy)
    assert (first.made_by, first.rows) == ({}, 2)
    assert (second.made_by, second.rows) == ({"model": {"name": "m"}}, 0)
    assert second.description["version"] in ("1", "2")


def test_rules_that_are_applied_again_make_no_answers(healthy: Database) -> None:
    now = clock.moment()
    runs.begin(healthy, 1, now, {}, made_by={"model": {"name": "m"}})
    again = runs.begin(healthy, 1, now, {})
    runs.end(healthy, again, "rechecked: 1 row", 0, {})
    other = runs.begin(healthy, 1, now, {})
    runs.end(healthy, other, "imported: 1 answer", 0, {})
    made = [making.made_by for making in makings.of_runs(healthy)]
    assert made == [{}, {"model": {"name": "m"}}, {"model": {"name": "m"}}, {}]
