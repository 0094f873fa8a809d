"""Nothing of a job is obeyed by the terminal that shows it, whichever command does.

On a real terminal: what a row, a column, an identifier, a file name or an engine's reason holds
arrives as its number; what a program reads instead arrives as it is.
"""

import csv
import json
import os
import pty
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from llmbatch.cli.main import cli
from tests.cli.command import ENGINE, Finished, QuickJob
from tests.crash.tracer import Tracer

# Each would do something: colour, go back, ring, turn the direction, begin a title.
BAD = "\x1b[31mA\rB\x07C\u202eD\x9b7mE\x1b]0;F\x9cG"
OBEYED = ("\x1b[31m", "\rB", "\x07", "\u202e", "\x9b", "\x1b]", "\x9c")
SEEN = r"\x1b[31m"
NAME = f"in{BAD}.csv"
OUT = f"out{BAD}.jsonl"
GONE = ("--engine-arg", f"start_error=gone{BAD}")


def to_terminal(slave: str) -> None:
    """Let standard output and error be the terminal, in the process of a command."""
    descriptor = os.open(slave, os.O_RDWR | os.O_NOCTTY)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)


class Terminal:
    """A job whose commands run on a terminal; `show` gives what has arrived there."""

    def __init__(self, folder: Path, forks: Tracer) -> None:
        self.job = QuickJob(folder, forks)
        self._forks = forks

    def show(self, *arguments: str) -> tuple[int, str]:
        master, slave = pty.openpty()
        arrived: list[bytes] = []
        reader = threading.Thread(target=self._read, args=(master, arrived))
        reader.start()
        prepare = [("tests.cli.test_terminal:to_terminal", [os.ttyname(slave)])]
        try:
            trace = self._forks.run(arguments, self.job.folder, prepare=prepare, traced=False)
        finally:
            os.close(slave)
            reader.join()
            os.close(master)
        return trace.code, b"".join(arrived).decode(errors="surrogateescape")

    @staticmethod
    def _read(master: int, arrived: list[bytes]) -> None:
        while True:
            try:
                part = os.read(master, 65536)
            except OSError:  # no process has it open any more
                return
            arrived.append(part)

    def run(self, *more: str) -> tuple[str, ...]:
        return (
            *("run", NAME, "-o", OUT, "-m", f"model{BAD}", "--id-column", "id"),
            *("-p", "Say {{ text }}", "--engine", ENGINE, *more),
        )


@pytest.fixture
def terminal(tmp_path: Path, forks: Tracer) -> Terminal:
    made = Terminal(tmp_path, forks)
    rows = [
        ["id", "text", f"who{BAD}"],
        [f"one{BAD}", f"hello{BAD}", f"team{BAD}"],
        ["three", "good day", "team"],
        [f"two{BAD}", f"FAIL:refused_request{BAD}", "b"],
        [f"four{BAD}"],
    ]
    with (tmp_path / NAME).open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(rows)
    return made


def harmless(shown: str) -> None:
    assert [mark for mark in OBEYED if mark in shown] == []


def check(terminal: Terminal, *arguments: str, code: int = 0, seen: bool = True) -> str:
    found, shown = terminal.show(*arguments)
    assert found == code, shown
    harmless(shown)
    assert (SEEN in shown) == seen, shown
    return shown


def test_every_command_on_a_terminal(terminal: Terminal) -> None:
    plan = ("plan", *terminal.run()[1:])
    who = ("--attribute-by", f"who{BAD}", "--price-per-hour", "2")
    check(terminal, *plan)
    check(terminal, *terminal.run(*GONE), code=5)
    check(terminal, "status", OUT)
    check(terminal, "status", OUT, "--watch")
    check(terminal, *terminal.run(*who), code=3)
    check(terminal, "check", OUT, seen=False)
    check(terminal, "report", OUT, *who)
    check(terminal, "report", OUT, "--format", "markdown", seen=False)
    check(terminal, "report", "--all", ".", "--since", "2020-01-01")
    check(terminal, "export", OUT, "-o", f"more{BAD}.csv")
    check(terminal, "retry", OUT, seen=False)
    check(terminal, "repair", OUT)
    check(terminal, "retry", OUT, "--kind", BAD, code=2)
    check(terminal, "tune", *terminal.run(*GONE)[1:], "--rows", "3", "--budget", "5s", code=5)


@pytest.mark.parametrize("command", sorted(cli.commands))
@pytest.mark.parametrize(
    "arguments", [(f"--{BAD}",), (f"x{BAD}.csv",), (f"x{BAD}.toml",), ("--help",)]
)
def test_what_is_wrong_with_the_arguments_of_any_command(
    terminal: Terminal, command: str, arguments: tuple[str, ...]
) -> None:
    """A new command is among them by itself."""
    code, shown = terminal.show(command, *arguments)
    # A folder to be made may have any name.
    is_made = command == "samples" and not arguments[0].startswith("--")
    assert code == (0 if arguments == ("--help",) or is_made else 2), shown
    harmless(shown)


def test_a_command_that_there_is_not(terminal: Terminal) -> None:
    check(terminal, f"run{BAD}", code=2)
    check(terminal, code=2, seen=False)


@pytest.mark.parametrize(
    "arguments",
    [
        ("-p", "{{ no }} {{ " + "x" * 3 + " }}"),
        ("--engine", f"module{BAD}:factory"),
        ("--state", f"no{BAD}/state"),
        ("--regex", f"({BAD}"),
        ("--currency", BAD),
        ("--report", f"r{BAD}"),
    ],
)
def test_an_error_of_a_run(terminal: Terminal, arguments: tuple[str, ...]) -> None:
    code, shown = terminal.show(*terminal.run(*arguments))
    assert code in (2, 5), shown
    harmless(shown)


def formats() -> Iterator[tuple[str, ...]]:
    """Every command that has a form for programs."""
    for name, command in cli.commands.items():
        for option in command.params:
            if isinstance(option.type, click.Choice) and "json" in option.type.choices:
                yield (name, option.opts[0])


def texts(value: Any) -> Iterator[str]:
    """All texts in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from texts(inner)


def test_what_a_program_reads_means_the_same_on_a_terminal(terminal: Terminal) -> None:
    assert terminal.job.command(*terminal.run("-q", *GONE)).code == 5
    # The JSON of `tune` holds settings and reasons, which are looked at above; there is no answer.
    asked = {"plan": ("plan", *terminal.run()[1:]), "tune": (), "tail": ()}
    # No row is answered, so there is nothing to evaluate.
    asked |= {"eval": (), "compare": ("compare", OUT, OUT)}
    # It looks at a machine, and at no job.
    asked |= {"doctor": ()}
    for name, flag in formats():
        arguments = asked.get(name, (name, OUT))
        if not arguments:
            continue
        code, shown = terminal.show(*arguments, flag, "json")
        assert code == 0, shown
        harmless(shown)
        exact: Finished = terminal.job.command(*arguments, flag, "json")
        assert any(BAD in text for text in texts(json.loads(exact.stdout)))
        assert any(BAD in text for text in texts(json.loads(shown)))


def test_what_goes_to_a_pipe_or_a_file_for_programs_is_exact(terminal: Terminal) -> None:
    job = terminal.job
    events = job.command(*terminal.run("-q", "--log-json", "-"))
    assert [json.loads(line)["event"] for line in events.stderr.splitlines()][-1] == "finished"
    assert job.records(OUT)[0]["id"] == f"one{BAD}"
    report = job.command("report", OUT, "--format", "json").stdout
    assert json.loads(report)["input"] == NAME


def test_a_report_in_a_file_holds_nothing_that_a_terminal_obeys(terminal: Terminal) -> None:
    reports = [part for end in ("txt", "md", "html") for part in ("--report", f"r.{end}")]
    who = ("--attribute-by", f"who{BAD}")
    assert terminal.job.command(*terminal.run("-q", *reports, *who)).code == 3
    assert terminal.job.command("report", "--all", ".", "-o", "all.html").code == 0
    for name in ("r.txt", "r.md", "r.html", "all.html"):
        harmless((terminal.job.folder / name).read_text())
