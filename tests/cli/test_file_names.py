"""A name that no file can have: one line for its user and exit code 2, and nothing is run.

And a file that another program has written, or that is used for something else, is not written to.
"""

import os
from pathlib import Path

import pytest

from tests.cli.command import Finished, QuickJob

LONG = "x" * 252 + ".jsonl"
COMMANDS = (
    ("run", f"{LONG}.csv", "-o", "out.jsonl", "-m", "m", "-p", "p"),
    ("plan", "in.csv", "-o", f"{LONG}.csv", "-m", "m", "-p", "p"),
    ("run", f"{LONG}.toml"),
    ("tune", f"{LONG}.toml"),
    ("report", "out.jsonl", "-o", f"{LONG}.html"),
    ("report", "--schema", "-o", f"{LONG}.html"),
    ("report", "--all", f"{LONG}.html"),
    ("export", "out.jsonl", "-o", f"{LONG}.csv"),
    *((command, f"{LONG}.csv") for command in ("status", "report", "check", "retry", "repair")),
)


def refused(finished: Finished) -> str:
    """The one line; a run was not begun."""
    assert (finished.code, len(finished.stderr.splitlines())) == (2, 1), finished
    return finished.error


def test_a_name_that_no_file_can_have(quick: QuickJob) -> None:
    assert quick.run("-q").code == 0
    before = quick.names()
    quick.computed()
    for command in COMMANDS:
        said = refused(quick.command(*command))
        assert "File name too long" in said or "no job found" in said or "a folder" in said, said
    assert quick.names() == before
    assert quick.computed() == 0


def test_a_schema_whose_name_has_a_nul_in_it(quick: QuickJob) -> None:
    quick.write("job.toml", '[answer]\nschema = "a\\u0000"\n')
    said = refused(quick.command("run", "job.toml", "-i", "in.csv", "-o", "o.csv", "-p", "p"))
    assert "is no name of a file" in said


FOREIGN = "not of llmbatch\n"


@pytest.mark.parametrize(("flag", "name"), [("--log-json", "notes"), ("--report", "README.md")])
def test_a_file_of_somebody_else_is_not_written_to(quick: QuickJob, flag: str, name: str) -> None:
    """Not even with why nothing is written to it."""
    quick.write(name, FOREIGN)
    said = refused(quick.run(flag, name))
    assert f"{name}: exists and was not written by llmbatch; remove it, or give the " in said
    assert (quick.folder / name).read_text() == FOREIGN
    assert quick.names() == {"in.csv", name}


ALL = ("--metrics-file", "job.prom", "--log-json", "log", "-q")


@pytest.mark.parametrize(
    ("output", "flags"),
    [
        ("out.jsonl", ()),
        ("out.tsv", ("--choice", "yes", "--meta")),
        ("out.csv", ("--schema", "schema.json")),
        ("out.parquet", ("--schema", "schema.json")),
    ],
)
def test_what_an_earlier_run_has_written_is_replaced(
    quick: QuickJob, output: str, flags: tuple[str, ...]
) -> None:
    """Also when its state folder was removed, which may be done at any time."""
    quick.write("in.csv", "id,text\n1,hello\n2,FAIL:refused_request\n3\n")
    quick.write("schema.json", '{"type": "object", "properties": {"text": {"type": "string"}}}')
    reports = ["--report", "r.txt", "--report", "r.md"] if output == "out.jsonl" else []
    arguments = ("-o", output, *ALL, *reports, *flags)
    code = quick.run(*arguments).code
    assert code == 3
    assert quick.run(*arguments).code == code
    for path in sorted(quick.state.iterdir()):
        path.unlink()
    quick.state.rmdir()
    quick.computed()
    assert quick.run(*arguments).code == code
    assert quick.computed() > 0


def test_an_output_that_a_run_of_the_job_has_named_is_its_own(quick: QuickJob) -> None:
    """Whatever has become of it. Another one beside the same store is not."""
    assert quick.run("-q").code == 0
    for name in ("out.jsonl", "out.errors.jsonl"):
        quick.write(name, FOREIGN)
    assert quick.run("-q").code == 0
    assert len(quick.records()) == 3
    quick.write("out.csv", FOREIGN)
    assert "out.csv: exists and was not written" in refused(quick.run("-o", "out.csv"))
    assert "out.csv: exists and was not written" in refused(
        quick.command("export", "out.jsonl", "-o", "out.csv")
    )
    assert (quick.folder / "out.csv").read_text() == FOREIGN
    assert quick.run("-q", "--state", "out.llmbatch").code == 0, "the job stands as it was"


def test_reports_and_exports_are_replaced_by_the_same_rule(quick: QuickJob) -> None:
    assert quick.run("-q").code == 0
    for name in ("r.json", "r.html", "all.md", "all.html", "all.json", "all.txt", "schema.json"):
        job = {"a": ("--all", "."), "s": ("--schema",)}.get(name[0], ("out.jsonl",))
        for _ in range(2):
            assert quick.command("report", *job, "-o", name).code == 0, name
    for _ in range(2):
        assert quick.command("export", "out.jsonl", "-o", "more.csv").code == 0
    for command, name in (("report", "README.md"), ("export", "tickets.csv")):
        quick.write(name, FOREIGN)
        assert "not written" in refused(quick.command(command, "out.jsonl", "-o", name))
    assert "lies in the state folder" in refused(
        quick.command("export", "out.jsonl", "-o", "out.llmbatch/more.csv")
    )
    assert "is the input" in refused(quick.command("export", "out.jsonl", "-o", "in.csv"))


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="no /dev/fd")
def test_the_event_log_may_be_a_stream_that_is_open(quick: QuickJob) -> None:
    for stream in ("/dev/stdout", "/dev/fd/1", "/dev/null"):
        finished = quick.run("-q", "--fresh", "--log-json", stream)
        assert finished.code == 0
        assert ('"event":"finished"' in finished.stdout) == (stream != "/dev/null")


def test_a_device_is_no_file(quick: QuickJob) -> None:
    os.mkfifo(quick.folder / "pipe")
    os.mkfifo(quick.folder / "pipe.md")
    for flag, name in (("--log-json", "pipe"), ("--report", "pipe.md")):
        assert "is a device or a pipe" in refused(quick.run(flag, name))
    assert "is a device" in refused(quick.run("--log-json", "/dev/zero"))
    assert quick.run("-q").code == 0
    for arguments in (("/dev/stdout", "--format", "text"), ("/proc/self/fd/1", "--format", "json")):
        said = refused(quick.command("report", "out.jsonl", "-o", *arguments))
        assert "is a device or a pipe" in said
