"""What the README and the architecture page say is so."""

import re
from pathlib import Path

import click

from llmbatch.cli.main import cli
from llmbatch.core.errors import ExitCode

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
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
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for name in (*parameter.opts, *parameter.secondary_opts)
    }
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", README))
    assert named <= flags | {"--help"}


def test_every_make_target_that_the_readme_names_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    named = set(re.findall(r"`make ([a-z-]+)`|^    make ([a-z-]+)", README, re.MULTILINE))
    assert {first or second for first, second in named} <= targets


def test_every_module_is_on_the_architecture_page_and_every_room_has_one() -> None:
    for path in (ROOT / "llmbatch").rglob("*.py"):
        if path.stem.startswith("__") or path.parent.name == "llmbatch":
            continue
        room, name = path.parent.name, path.stem
        line = next(line for line in ARCHITECTURE.splitlines() if line.startswith(f"| `{room}/`"))
        words = set(re.findall(r"[a-z_]+", line))
        told = name in words or name.split("_")[0] in words or room == "cli"
        assert told, f"{room}/{name} is not on the architecture page"


def test_paths_on_the_architecture_page_exist() -> None:
    for path in re.findall(r"`((?:\w+/)+\w+\.(?:py|sql))`", ARCHITECTURE):
        found = (ROOT / path).exists() or (ROOT / "llmbatch" / path).exists()
        assert found, f"{path} does not exist"
