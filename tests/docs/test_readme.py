"""The README, the architecture page and the contributing page agree with the code."""

import re
from pathlib import Path

import click
import pytest

from llmbatch.cli.main import cli
from llmbatch.core.errors import ExitCode
from tests.layout.test_layers import LEVELS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / ".github/CONTRIBUTING.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "llmbatch/ARCHITECTURE.md").read_text(encoding="utf-8")


def test_the_readme_lists_every_command_and_no_other() -> None:
    listed = re.findall(r"^\| `llmbatch (\w+)` \|", README, re.MULTILINE)
    assert sorted(listed) == sorted(cli.commands)


def test_the_readme_and_the_help_list_every_exit_code() -> None:
    codes = {int(code) for code in ExitCode}
    table = README.split("### Exit codes")[1].split("##")[0]
    rows = re.findall(r"^\| ([\d, ]+) \|", table, re.MULTILINE)
    assert {int(code) for row in rows for code in row.split(",")} == codes
    epilog = cli.epilog or ""
    in_help = {int(code) for code in re.findall(r"\b(\d+)\b(?=[: ])", epilog)}
    assert in_help == codes


def test_every_flag_that_the_readme_names_exists() -> None:
    flags = {
        name
        for command in cli.commands.values()
        for parameter in command.get_params(click.Context(command))
        if isinstance(parameter, click.Option)
        for name in (*parameter.opts, *parameter.secondary_opts)
    }
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README))
    assert named <= flags | {"--help"}


def test_every_make_target_that_the_pages_name_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    pages = README + CONTRIBUTING
    named = set(re.findall(r"`make ([a-z-]+)`|^    make ([a-z-]+)", pages, re.MULTILINE))
    assert {first or second for first, second in named} <= targets


def rooms_of_the_page() -> dict[str, str]:
    """The rooms in the table of the architecture page, and their levels."""
    rows = re.findall(r"^\| (\d?) ?\| `([\w/]+)/` \|", ARCHITECTURE, re.MULTILINE)
    return {room: level for level, room in rows}


def test_every_room_is_on_the_architecture_page_with_its_level() -> None:
    package = ROOT / "llmbatch"
    found = {str(path.parent.relative_to(package)) for path in package.rglob("*.py")} - {"."}
    # Rooms in a room are its own affair, but for those of the pipeline.
    inner = {room for room in found if "/" in room and not room.startswith("pipeline/")}
    assert set(rooms_of_the_page()) == found - inner
    levels = {room: int(level) for room, level in rooms_of_the_page().items() if level}
    assert levels == {room: LEVELS[room] for room in levels}


@pytest.mark.parametrize("page", [ARCHITECTURE, CONTRIBUTING], ids=["architecture", "contributing"])
def test_each_path_that_a_page_names_is_there(page: str) -> None:
    named = re.findall(r"[`/ ]((?:\w+/)+\w+(?:\.\w+)?)", page)
    tops = {path.name for path in (ROOT / "llmbatch").iterdir()}
    for name in named:
        if name.partition("/")[0] in tops | {"tests", "llmbatch"}:
            base = ROOT if name.startswith(("tests/", "llmbatch/")) else ROOT / "llmbatch"
            path = base / name
            assert path.exists() or path.with_suffix(".py").exists(), name


def test_paths_on_the_architecture_page_exist() -> None:
    for path in re.findall(r"`((?:\w+/)+\w+\.(?:py|sql))`", ARCHITECTURE):
        found = (ROOT / path).exists() or (ROOT / "llmbatch" / path).exists()
        assert found, f"{path} does not exist"
