"""`llmbatch help`: the help of a command, or of what concerns several."""

from collections.abc import Callable

import click

from llmbatch.cli import console
from llmbatch.core.errors import UsageError, nearest

_COMPLETION = """\
Completion of commands, flags, their values and file names by the Tab key.

bash (4.4 or newer), in ~/.bashrc:
  eval "$(_LLMBATCH_COMPLETE=bash_source llmbatch)"

zsh, in ~/.zshrc, after compinit:
  eval "$(_LLMBATCH_COMPLETE=zsh_source llmbatch)"

fish, once:
  _LLMBATCH_COMPLETE=fish_source llmbatch > ~/.config/fish/completions/llmbatch.fish

It begins with the next shell. `llmbatch` has to be on the PATH of that shell."""


def _completion() -> str:
    return _COMPLETION


def _exit_codes() -> str:
    return console.EXIT_CODES.removeprefix("\b\n").rstrip()


def _job_file() -> str:
    from llmbatch.cli import job_file_reference

    return job_file_reference.text()


TOPICS: dict[str, tuple[str, Callable[[], str]]] = {
    "exit-codes": ("what the exit codes mean", _exit_codes),
    "job-file": ("every key of the job file: its type, default and effect on reuse", _job_file),
    "completion": ("completion by the Tab key in bash, zsh and fish", _completion),
}
"""The topics beside the commands: a line about each, and the function that makes its text."""


def _names(ctx: click.Context, _argument: click.Parameter, begun: str) -> list[str]:
    """The names that can be asked for, for the shell's completion."""
    return [name for name in _all_names(ctx) if name.startswith(begun)]


def _all_names(ctx: click.Context) -> list[str]:
    group = ctx.find_root().command
    commands = group.list_commands(ctx) if isinstance(group, click.Group) else []
    return [*commands, *TOPICS]


@click.command(name="help")
@click.argument("topic", metavar="[COMMAND|TOPIC]", required=False, shell_complete=_names)
@click.option("--all", "everything", is_flag=True, help="Show every flag of a command.")
@click.pass_context
@console.reported
def show_help(ctx: click.Context, topic: str | None, everything: bool) -> None:
    """Show the help of a command, or of a topic: exit-codes, job-file, completion."""
    root = ctx.find_root()
    if topic is None:
        console.data(root.get_help() + "\n\n" + _topics() + "\n")
    elif topic in TOPICS:
        console.data(TOPICS[topic][1]() + "\n")
    else:
        console.data(_of_command(root, topic, everything=everything) + "\n")


def _topics() -> str:
    lines = [f"  llmbatch help {name:12} {text}" for name, (text, _) in TOPICS.items()]
    return "\n".join(["Topics:", *lines])


def _of_command(root: click.Context, name: str, *, everything: bool) -> str:
    """The help of a command. Raises UsageError if there is none of that name."""
    group = root.command
    command = group.get_command(root, name) if isinstance(group, click.Group) else None
    if command is None:
        raise UsageError(
            f"help {name}: no command or topic of that name{nearest(name, _all_names(root))}"
        )
    ctx = click.Context(command, info_name=name, parent=root)
    if everything:
        ctx.meta[console.EVERYTHING] = True
    return command.get_help(ctx)
