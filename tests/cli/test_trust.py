"""A job file is data: no command runs code because of what stands in one, or in a store."""

from pathlib import Path

import pytest

from tests.cli.command import QuickJob

JOB = """\
input = "in.csv"
output = "out.jsonl"
model = "m"
prompt = "Say {{ text }}"

[engine]
name = "theirs:create"
"""
THEIRS = """\
from pathlib import Path

from tests.scripted_engine import create

Path("imported").touch()
"""


@pytest.fixture
def given(quick: QuickJob) -> QuickJob:
    """A folder with a job file that names a module, as another person may have sent it."""
    quick.write("theirs.py", THEIRS)
    quick.write("job.toml", JOB)
    return quick


def was_imported(job: QuickJob) -> bool:
    """True if it was since the last call."""
    mark: Path = job.folder / "imported"
    was = mark.exists()
    mark.unlink(missing_ok=True)
    return was


def test_a_job_file_that_names_code_is_refused(given: QuickJob) -> None:
    before = given.names()
    for command in ("run", "plan", "tune"):
        refused = given.command(command, "job.toml")
        assert refused.code == 2
        assert refused.error.startswith("job.toml: engine.name 'theirs:create' is a module")
        assert "--engine" in refused.error
        assert "--trust-job-file" in refused.error
        assert refused.stderr.count("\n") == 1
    assert given.names() == before


def test_code_that_a_flag_names_runs_and_no_other_command_runs_it_again(given: QuickJob) -> None:
    assert given.command("run", "job.toml", "-q", "--engine", "theirs:create").code == 0
    assert was_imported(given)
    for job in ("job.toml", "out.jsonl", "out.llmbatch"):
        for command in ("status", "report", "check", "retry"):
            assert given.command(command, job).code == 0, command
        assert given.command("export", job, "-o", "now.csv").code == 0
    assert given.command("report", "--all", ".").code == 0
    assert not was_imported(given)


def test_a_file_that_is_trusted_may_name_code(given: QuickJob) -> None:
    assert given.command("run", "job.toml", "-q", "--trust-job-file").code == 0
    assert was_imported(given)
    assert given.command("plan", "job.toml", "--trust-job-file").code == 0
    assert was_imported(given)


def test_with_an_engine_by_flag_that_of_the_file_is_of_no_consequence(given: QuickJob) -> None:
    flag = ("--engine", "tests.scripted_engine:create")
    assert given.command("run", "job.toml", "-q", *flag).code == 0
    assert not was_imported(given)
