"""The help: few flags first, all on demand; completion; a wrong command line in words of ours."""

import re

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from llmbatch import __version__
from llmbatch.cli import usage_words
from llmbatch.cli.main import cli
from llmbatch.cli.options import JobCommand
from llmbatch.cli.parameters import SpanOfTime

JOB_COMMANDS = [
    name
    for name, command in cli.commands.items()
    if isinstance(command, JobCommand) and command.first
]
# Of the parser of the command line.
THEIRS = re.compile(
    r"Invalid value|Missing|No such|requires an|Got unexpected|is not (in|one|a)|Try"
)


def shown(*arguments: str) -> str:
    done = CliRunner().invoke(cli, arguments, prog_name="llmbatch", standalone_mode=False)
    assert done.exception is None, done.output
    return done.output


def test_every_command_stands_under_one_title() -> None:
    grouped = [name for names in cli.groups.values() for name in names]
    assert sorted(grouped) == sorted(cli.commands)
    text = shown("--help")
    for title, names in cli.groups.items():
        under = text.split(f"{title}:\n")[1].split("\n\n")[0]
        assert [line.split()[0] for line in under.splitlines() if line[2] != " "] == names
    assert "Example:\n  llmbatch " in text
    assert "..." not in text.split("Example:")[0].split("First steps:")[1], "a sentence is cut"


@pytest.mark.parametrize("name", JOB_COMMANDS)
def test_the_help_of_a_job_shows_few_flags_first(name: str) -> None:
    text = shown(name, "--help")
    first = text.split("Flags to know first:\n")[1].split("\n\n")[0]
    command = cli.commands[name]
    assert isinstance(command, JobCommand)
    assert len(command.first) <= 10
    assert [flag for flag in command.first if flag not in first] == []
    assert f"Example:\n  llmbatch {name} " in text
    assert f"`llmbatch {name} --help-all` explains them" in text


@pytest.mark.parametrize("name", JOB_COMMANDS)
def test_the_short_help_names_each_flag_that_the_long_one_explains(name: str) -> None:
    short, long = shown(name, "--help"), shown(name, "--help-all")
    flags = set(re.findall(r"^  (?:-\w, )?(--[a-z-]+)", long, re.M)) | {"--help-all", "--help"}
    assert len(flags) > 30
    assert flags <= set(re.findall(r"--[a-z-]+", short))
    assert max(map(len, short.splitlines())) <= 100


def test_the_example_of_a_job_is_a_job() -> None:
    for name in JOB_COMMANDS:
        command = cli.commands[name]
        assert isinstance(command, JobCommand)
        words = command.example.replace("\\\n", " ").split()
        assert words[:2] == ["llmbatch", name]
        known = {
            flag for option in command.get_params(click.Context(command)) for flag in option.opts
        }
        assert {word for word in words if word.startswith("-")} <= known


@pytest.mark.parametrize("flag", ["-V", "--version"])
def test_the_version_is_shown(flag: str) -> None:
    assert __version__ in shown(flag)


def test_help_of_a_command_is_that_of_its_flag() -> None:
    for name in ("run", "status"):
        assert shown("help", name) == shown(name, "--help")
    assert shown("help", "run", "--all") == shown("run", "--help-all")
    assert shown("help").startswith(shown("--help").rstrip())


def test_help_has_topics() -> None:
    assert "_LLMBATCH_COMPLETE=zsh_source" in shown("help", "completion")
    assert "75   another run holds the job" in shown("help", "exit-codes")
    assert "llmbatch help completion" in shown("help")


def test_an_unknown_topic_is_answered_with_the_nearest() -> None:
    done = CliRunner().invoke(cli, ["help", "complete"])
    assert done.exit_code == 2


def completed(*arguments: str, begun: str) -> set[str]:
    complete = ShellComplete(cli, {}, "llmbatch", "_LLMBATCH_COMPLETE")
    return {item.value for item in complete.get_completions([*arguments], begun)}


def test_the_shell_completes_commands_flags_and_choices() -> None:
    assert completed(begun="re") == {"recheck", "retry", "report", "repair"}
    assert "--max-tokens" in completed("run", begun="--max-")
    assert completed("run", "in.csv", "--if-locked", begun="s") == {"skip"}
    assert completed("help", begun="compl") == {"completion"}


@pytest.mark.parametrize("arguments", [("run",), ("run", "in.csv", "--output")])
def test_the_shell_completes_names_of_files(arguments: tuple[str, ...]) -> None:
    complete = ShellComplete(cli, {}, "llmbatch", "_LLMBATCH_COMPLETE")
    assert [item.type for item in complete.get_completions([*arguments], "a")] == ["file"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("rnu", "rnu: there is no such command (did you mean 'run'?)"),
        ("run", "INPUT...|JOB.toml"),
        ("run a.csv --chunk-siz 3", "there is no such flag (did you mean --chunk-size?)"),
        ("run a.csv --if-locked skp", "must be 'fail', 'skip' or 'wait' (did you mean 'skip'?)"),
        ("run a.csv -m", "-m: needs a value (see llmbatch run --help)"),
        ("run a.csv --meta=3", "--meta: takes no value"),
        ("tune a.csv --rows 1", "--rows: must be a whole number, 3 or more (got 1)"),
        ("tune a.csv --rows x", "--rows: must be a whole number, 3 or more (got 'x')"),
        ("status x --interval soon", "--interval: write a span of time: 20s, 5m"),
        ("status a b", "b: one argument too many"),
        ("export", "JOB is missing"),
    ],
)
def test_a_wrong_command_line_is_answered_in_words_of_ours(line: str, words: str) -> None:
    with pytest.raises(click.ClickException) as raised:
        cli.main(line.split(), prog_name="llmbatch", standalone_mode=False)
    said = usage_words.line(raised.value)
    assert words in said
    assert not THEIRS.search(said)
    assert "--help)" in said


READ_HERE = (click.Choice, type(click.INT), type(click.FLOAT), SpanOfTime)


def own_values() -> list[tuple[str, str]]:
    """The options of all commands whose values the command line checks."""
    return [
        (name, max(option.opts, key=len))
        for name, command in cli.commands.items()
        for option in command.get_params(click.Context(command))
        if isinstance(option, click.Option) and isinstance(option.type, READ_HERE)
    ]


@pytest.mark.parametrize(("name", "flag"), own_values())
def test_no_wrong_value_is_answered_in_words_of_the_parser(name: str, flag: str) -> None:
    for value in ("nonsense", "-1", "1e999", ""):
        try:
            cli.commands[name].make_context(name, ["in.csv", f"{flag}={value}"])
        except click.BadParameter as error:
            said = usage_words.line(error)
            if said.startswith(flag):
                assert not THEIRS.search(said), said
                assert "must be" in said or "write" in said
