"""A small job takes few statements: each takes a millisecond or two, however little it asks.

Who needs more raises a bound here, and knows it then. `python -m tests.cli.test_statements` prints
the statements of each command.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import duckdb
import pytest
from click.testing import CliRunner

from llmbatch.cli import console
from llmbatch.cli.main import cli
from tests.cli.command import ENGINE

NEW, AGAIN, PLAN, STATUS, REPORT = ("new", "again", "plan", "status", "report")
# Calls that ask DuckDB something, and instances of it that are made.
BOUNDS = {NEW: (255, 1), AGAIN: (108, 1), PLAN: (125, 1), STATUS: (0, 0), REPORT: (52, 1)}


class Counted:
    """A connection that counts what it is asked, as do its cursors."""

    def __init__(self, connection: Any, asked: list[str]) -> None:
        self._connection = connection
        self._asked = asked

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def execute(self, sql: str, *given: Any) -> Any:
        self._asked.append(sql)
        return self._connection.execute(sql, *given)

    def sql(self, sql: str, **given: Any) -> Any:
        self._asked.append(sql)
        return self._connection.sql(sql, **given)

    def cursor(self) -> "Counted":
        return Counted(self._connection.cursor(), self._asked)


@contextmanager
def counted() -> Iterator[tuple[list[str], list[Counted]]]:
    """The statements of all connections, and the instances, that are made in the block."""
    asked: list[str] = []
    made: list[Counted] = []
    connect = duckdb.connect

    def new(*given: Any, **named: Any) -> Counted:
        made.append(Counted(connect(*given, **named), asked))
        return made[-1]

    # A run ends its process at once.
    leaving = mock.patch.object(console, "leave_at_once", console.leave)
    with mock.patch.object(duckdb, "connect", new), leaving:
        yield asked, made


def asked_of(folder: Path) -> dict[str, tuple[list[str], int]]:
    """By command, the statements and the number of instances; each follows the one before."""
    found = {}
    (folder / "in.csv").write_text("id,text\n1,hello\n2,good day\n3,bye\n")
    about = [str(folder / "in.csv"), "-o", str(folder / "out.jsonl"), "-m", "m", "-p", "{{ text }}"]
    about += ["--engine", ENGINE]
    commands = {NEW: ["run", *about], "": ["run", *about], AGAIN: ["run", *about]}
    commands |= {PLAN: ["plan", *about], STATUS: ["status", str(folder / "out.jsonl")]}
    commands |= {REPORT: ["report", str(folder / "out.jsonl")]}
    for name, command in commands.items():
        with counted() as (asked, made):
            done = CliRunner().invoke(cli, command)
        assert done.exit_code == 0, done.output
        found[name] = asked, len(made)
    return found


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[list[str], int]]:
    return asked_of(tmp_path_factory.mktemp("asked"))


@pytest.mark.parametrize("command", list(BOUNDS))
def test_a_command_asks_no_more_than_it_needs(
    asked: dict[str, tuple[list[str], int]], command: str
) -> None:
    statements, instances = asked[command]
    assert len(statements) <= BOUNDS[command][0], "\n".join(statements)
    assert instances <= BOUNDS[command][1]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made_in:
        for name, (statements, instances) in asked_of(Path(made_in)).items():
            print(f"{name or 'second'}: {len(statements)} statements, {instances} instances")
