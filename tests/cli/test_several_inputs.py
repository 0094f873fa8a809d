"""Jobs over several files, as they are named on the command line."""

from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import QuickJob


@pytest.fixture
def job(tmp_path: Path, forks: Any) -> QuickJob:
    job = QuickJob(tmp_path, forks)
    (tmp_path / "data").mkdir()
    job.write("data/a.csv", "text\none\ntwo\n")
    job.write("data/b.csv", "text,k\nthree,1\n")
    return job


def run(job: QuickJob, *inputs: str) -> Any:
    arguments = job.arguments("-p", "{{ text }}")
    at = arguments.index("in.csv")
    return job.command(*arguments[:at], *inputs, *arguments[at + 1 :])


def test_files_and_a_pattern_of_them_are_the_same_input(job: QuickJob) -> None:
    first = run(job, "data/a.csv", "data/b.csv")
    assert (first.code, job.computed()) == (0, 3)
    assert "files with other columns than a.csv: b.csv has also 'k'" in first.stderr
    assert [one["text"] for one in job.records()] == ["one", "two", "three"]
    job.write("data/c.csv", "text\nfour\n")
    assert (run(job, "data/*.csv").code, job.computed()) == (0, 1)


def test_a_job_file_has_its_own_inputs(job: QuickJob) -> None:
    job.write("job.toml", "")
    refused = run(job, "job.toml", "data/a.csv")
    assert (refused.code, refused.error) == (
        2,
        "data/a.csv: beside the job file job.toml: name its inputs with --input",
    )
