"""With the answers that a run forgets all goes that was found out of them."""

import json

from tests.cli.command import QuickJob

REFUSAL = "I cannot help with that request, as I am only a language model."
USUAL = "It was sent."


def script(job: QuickJob, refused: str) -> str:
    job.write("script.json", json.dumps([[[refused], REFUSAL], [[], USUAL]]))
    return "script=script.json"


def refusals(job: QuickJob) -> list[str]:
    """The ids of the rows in the report's flags."""
    return [name["id"] for each in job.report()["flags"] for name in each["names"]]


def test_flags_are_those_of_the_new_answers(job: QuickJob) -> None:
    """Of which there are as many as before, to the same plan."""
    assert job.run("-q", engine=script(job, "hello")).code == 0
    assert refusals(job) == ["2"]
    assert job.run("-q", "--fresh", engine=script(job, "bye")).code == 0
    assert refusals(job) == ["4"]


def test_failures_are_known_by_the_runs_that_are_left(job: QuickJob) -> None:
    """Runs are numbered from 1 again."""
    for _ in range(3):
        job.run("-q")
    job.write("in.csv", "id,text\n1,hello\n2,bye,more\n")
    assert job.run("-q").code == 3
    night = ("-q", "--max-new-failed", "0")
    assert job.run(*night).code == 0
    assert job.run(*night, "--fresh").code == 3
    assert job.run(*night).code == 0


def test_changes_are_not_those_of_a_run_with_the_same_number(job: QuickJob) -> None:
    for _ in range(2):
        job.run("-q")
    assert job.report()["changes"] is not None
    job.run("-q", "--fresh", "--max-rows", "1")
    job.run("-q", "--max-rows", "1")
    assert job.report()["changes"] is None
