"""`--notify`: a command is told of the end of a run, and can do nothing to it."""

import json
import os
import time
from pathlib import Path

import pytest

from llmbatch.cli.notice import Notice
from llmbatch.core.errors import EngineError, ExitCode, LockedError, UsageError
from tests.cli.command import QuickJob


def told(folder: Path, notice: Notice, code: int) -> dict[str, str]:
    """The variables that a command finds in its environment."""
    notice.command = f"env > {folder}/env; cat > {folder}/stdin"
    notice.send(code)
    lines = (folder / "env").read_text().splitlines()
    found = dict(line.partition("=")[::2] for line in lines)
    # What the tests themselves, or the user's shell, have set is no part of the notice.
    added = {name: text for name, text in found.items() if os.environ.get(name) != text}
    return {name: text for name, text in added.items() if name.startswith("LLMBATCH_")}


@pytest.mark.parametrize(
    ("code", "state"),
    [(0, "finished"), (3, "finished"), (4, "stopped"), (5, "failed"), (1, "failed"),
     (2, "refused"), (75, "locked"), (130, "stopped"), (143, "stopped"), (99, "failed")],
)  # fmt: skip
def test_each_end_has_a_state(tmp_path: Path, code: int, state: str) -> None:
    notice = Notice(None, report='{"a": 1}', reason="why\0so", about={"LLMBATCH_OUTPUT": "o"})
    assert told(tmp_path, notice, code) == {
        "LLMBATCH_EXIT_CODE": str(code),
        "LLMBATCH_STATE": state,
        "LLMBATCH_REASON": "why so",
        "LLMBATCH_OUTPUT": "o",
    }
    assert (tmp_path / "stdin").read_text() == '{"a": 1}'


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("no such column"), 2),
        (EngineError("it is gone"), 5),
        (LockedError("held"), 75),
        (SystemExit(0), 0),
        (KeyboardInterrupt(ExitCode.SIGTERM), 143),
        (ZeroDivisionError("odd"), 1),
    ],
)
def test_an_end_by_an_error_is_told_once_and_stays_as_it_is(
    tmp_path: Path, error: BaseException, code: int
) -> None:
    notice = Notice(f'echo "$LLMBATCH_EXIT_CODE: $LLMBATCH_REASON" >> {tmp_path}/out')
    with pytest.raises(type(error)) as raised, notice.told():
        raise error
    assert raised.value is error
    notice.send(code)
    reasons = {1: "a bug in llmbatch", 0: "", 143: "stopped by a signal"}
    assert (tmp_path / "out").read_text() == f"{code}: {reasons.get(code, str(error))}\n"


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        ("exit 7", "the command ended with exit code 7; the run"),
        ("echo first; echo no mail >&2; exit 1", "ended with exit code 1: no mail; the run"),
        ("no-such-command-here", "ended with exit code 127: "),
        ("kill -9 $$", "ended with exit code -9"),
    ],
)
def test_its_failure_is_told(capsys: pytest.CaptureFixture[str], command: str, fault: str) -> None:
    Notice(command).send(0)
    said = capsys.readouterr()
    assert fault in said.err
    assert (said.out, said.err.count("\n")) == ("", 1)


def test_what_it_says_is_not_shown_when_it_does_well(capsys: pytest.CaptureFixture[str]) -> None:
    Notice("echo out; echo err >&2").send(0)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("command", ["sleep 60", "sleep 60 & sleep 60", "trap '' TERM; sleep 60"])
def test_its_time_is_bounded(capsys: pytest.CaptureFixture[str], command: str) -> None:
    began = time.monotonic()
    Notice(command, seconds=0.1).send(0)
    assert time.monotonic() - began < 20
    assert "took more than 0.1 s and was ended" in capsys.readouterr().err


def test_it_need_not_read_a_long_report(capsys: pytest.CaptureFixture[str]) -> None:
    Notice("true", report="x" * 2**20).send(0)
    assert capsys.readouterr().err == ""


def test_a_run_tells_it_also_when_it_is_refused(quick: QuickJob) -> None:
    command = 'cat > got.json; echo "$LLMBATCH_STATE $LLMBATCH_EXIT_CODE" > got; exit 9'
    done = quick.run("--notify", command, "--max-rows", "1")
    assert (done.code, (quick.folder / "got").read_text()) == (4, "stopped 4\n")
    assert json.loads((quick.folder / "got.json").read_text()) == quick.report()
    assert "warning: --notify: the command ended with exit code 9" in done.stderr
    refused = quick.run("-q", "--notify", command, "-p", "{{ txet }}")
    assert (refused.code, (quick.folder / "got").read_text()) == (2, "refused 2\n")
    assert (quick.folder / "got.json").read_text() == ""
    failed = quick.run("-q", "--notify", command, "--engine-restarts", "0", engine="start_error=no")
    assert (failed.code, (quick.folder / "got").read_text()) == (5, "failed 5\n")


def test_a_job_file_cannot_name_it(quick: QuickJob) -> None:
    """Job files execute nothing."""
    quick.write("job.toml", 'input = "in.csv"\nmodel = "m"\nprompt = "p"\n[run]\nnotify = "true"\n')
    refused = quick.command("run", "job.toml", "-o", "o.jsonl")
    assert refused.code == 2
    assert "notify" in refused.error
