"""Jobs whose rows name adapters, from the command line."""

from pathlib import Path

import pytest

from tests.cli.command import QuickJob
from tests.engines import lora
from tests.engines.vllm import session

ROWS = "id,kind,text\n1,red,hello\n2,,hello\n3,blue,hello\n4,rde,hello\n5,red,bye\n6,red,hello\n"


@pytest.fixture
def job(quick: QuickJob) -> QuickJob:
    quick.write("in.csv", ROWS)
    for seed, name in enumerate(("red", "blue")):
        lora.make(quick.folder / name, session.MODEL, seed)
    return quick


def named(folder: Path, *names: str) -> list[str]:
    return [part for name in names for part in ("--adapter-folder", f"{name}={folder / name}")]


def test_each_row_is_answered_by_the_adapter_that_it_names(job: QuickJob) -> None:
    flags = [*named(job.folder, "red", "blue"), "--adapter-column", "kind"]
    assert job.run(*flags).code == 3
    answers = {row["id"]: row["response"] for row in job.records()}
    assert answers.keys() == {"1", "2", "3", "5", "6"}
    assert len({answers["1"], answers["2"], answers["3"]}) == 3
    assert answers["1"] == answers["6"]
    (failed,) = job.errors()
    assert failed["error"]["kind"] == "unknown_adapter"
    assert "did you mean 'red'" in failed["error"]["message"]
    assert job.computed() == 4

    # Renamed folders are the same adapters; another content is another one.
    (job.folder / "red").rename(job.folder / "moved")
    moved = ["--adapter-folder", f"red={job.folder / 'moved'}", *named(job.folder, "blue")]
    assert job.run(*moved, "--adapter-column", "kind").code == 3
    assert job.computed() == 0
    lora.make(job.folder / "moved", session.MODEL, 7)
    assert job.run(*moved, "--adapter-column", "kind").code == 3
    assert job.computed() == 2


def test_one_adapter_for_all_rows_and_none(job: QuickJob) -> None:
    assert job.run("--adapter", str(job.folder / "red")).code == 0
    with_one = [row["response"] for row in job.records()]
    assert job.computed() == 2
    assert job.run().code == 0
    assert job.computed() == 2
    assert with_one != [row["response"] for row in job.records()]


def test_what_is_no_adapter_or_no_column_is_refused(job: QuickJob) -> None:
    done = job.run("--adapter", "nowhere")
    assert (done.code, "no such folder" in done.stderr) == (2, True)
    done = job.run(*named(job.folder, "red"), "--adapter-column", "kin")
    assert (done.code, "did you mean 'kind'" in done.stderr) == (2, True)
    done = job.run("--adapter-folder", "red")
    assert (done.code, "write NAME=FOLDER" in done.stderr) == (2, True)


def test_an_engine_that_takes_none_is_refused(job: QuickJob) -> None:
    minimal = ["--engine", "tests.contracts.minimal_engine:create"]
    adapter = ["--adapter", str(job.folder / "red")]
    done = job.command("plan", "in.csv", "-m", "m", "-p", "{{ text }}", *adapter, *minimal)
    assert (done.code, "would answer without adapters" in done.stderr) == (2, True)
