"""A state folder that another user could have filled, as every command sees it."""

import os
from collections.abc import Callable

import pytest

from tests.cli.command import QuickJob

COMMANDS = {
    "run": lambda job: job.arguments(),
    "plan": lambda job: ["plan", *job.arguments()[1:]],
    "status": lambda _: ["status", "out.jsonl"],
    "report": lambda _: ["report", "out.jsonl"],
    "export": lambda _: ["export", "out.jsonl", "-o", "other.csv"],
    "check": lambda _: ["check", "out.jsonl"],
    "retry": lambda _: ["retry", "out.jsonl"],
    "repair": lambda _: ["repair", "out.jsonl"],
}


@pytest.fixture
def shared(quick: QuickJob) -> QuickJob:
    """A job in a folder that anybody could have filled."""
    assert quick.run("-q").code == 0
    quick.state.chmod(0o777)
    return quick


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_refuses_it_unless_it_is_trusted(shared: QuickJob, command: str) -> None:
    arguments: Callable[[QuickJob], list[str]] = COMMANDS[command]
    before = shared.names()
    refused = shared.command(*arguments(shared))
    assert (refused.code, refused.stdout) == (2, "")
    assert "others can write to the state folder (mode 0777)" in refused.error
    assert "--trust-state" in refused.error
    assert shared.names() == before
    assert shared.command(*arguments(shared), "--trust-state").code == 0
    assert shared.state.stat().st_mode & 0o777 == 0o777


def test_among_all_jobs_it_is_a_line(shared: QuickJob) -> None:
    shown = shared.command("report", "--all", ".")
    assert shown.code == 0
    assert "others can write to the state folder" in shown.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_folder_of_another_user_is_refused(quick: QuickJob) -> None:
    quick.state.mkdir()
    os.chown(quick.state, 12_345, 12_345)
    refused = quick.run("-q")
    assert refused.code == 2
    assert "the state folder belongs to user 12345" in refused.error
    assert list(quick.state.iterdir()) == []


def test_what_a_run_leaves_is_private(quick: QuickJob) -> None:
    assert quick.run("-q").code == 0
    assert quick.state.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in quick.state.iterdir()} == {0o600}
    assert quick.output.stat().st_mode & 0o077, "an output is as open as the umask says"


def test_the_flag_is_in_the_help_of_each(quick: QuickJob) -> None:
    for command in (*COMMANDS, "tune"):
        assert "--trust-state" in quick.command(command, "--help").stdout
