"""Stores that an earlier version has left, made by its own command line and kept as they were.

`finished` holds a whole run with every fate that a row may have; the process of `killed` got
SIGKILL at its fourth answer, with checkpoints of two.
"""

import tarfile
from pathlib import Path

from tests.cli.command import QuickJob

KEPT = Path(__file__).parent.parent / "store" / "kept"
ROWS = {"answered": 6, "failed": 2, "skipped": 1, "rejected": 1}
ANSWERS = {
    "1": "answer 5b2db23cd529",
    "2": "answer 5b2db23cd529",
    "6": "not a valid answer",
    "7": "answer 27173b5e94d7",
    "9": "answer a85bf752970e",
    "10": "answer 4e2ce2e015b7",
}
# The attempts of a run from its beginning: seven requests, some of them tried again.
ATTEMPTS = 9


def run_again(job: QuickJob, name: str) -> int:
    """Run the job of a kept store by its own command; the number of attempts that takes."""
    with tarfile.open(KEPT / f"{name}.tar.xz") as packed:
        packed.extractall(job.folder, filter="data")
    settings = ("--max-tokens", "300", "--require", "text", "--checkpoint-rows", "2")
    assert job.run(*settings).code == 3
    assert {row["id"]: row["response"] for row in job.records()} == ANSWERS
    rows = job.report()["counts"]
    assert {state: rows[state] for state in ROWS} == ROWS
    assert job.command("check", "out.jsonl").code == 0
    return job.computed()


def test_nothing_that_an_earlier_version_answered_is_paid_for_again(job: QuickJob) -> None:
    assert run_again(job, "schema_13_finished") == 0


def test_the_run_of_an_earlier_version_goes_on_where_it_was_killed(job: QuickJob) -> None:
    assert 0 < run_again(job, "schema_13_killed") < ATTEMPTS
