"""The only writer of stderr, and the keeper of exit codes. Standard output is for data."""

import io
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial, wraps
from typing import Any, NoReturn, ParamSpec, TextIO

import click

from llmbatch.core import visible
from llmbatch.core.errors import ExitCode, HungEngineError, LlmbatchError, nearest

P = ParamSpec("P")

EXIT_CODES = """\b
Exit codes:
  0    every row answered, but for skipped ones
  1    a bug in llmbatch
  2    usage, job or input cannot be used; nothing was run
  3    finished, with failed or rejected rows, none answered, or a limit passed
       (--max-churn)
  4    stopped with work left; the same command resumes
  5    the engine could not start or died; the same command resumes
  6    the gold set failed, the rest was not run; the same command resumes
  75   another run holds the job, or a device that it wants alone (--device-lock)
  130  stopped by SIGINT (143: SIGTERM, 129: SIGHUP) after draining; the same command
       resumes
"""

# In the context of a command whose help shows every flag.
EVERYTHING = "llmbatch: everything"

# Characters of the first sentence about a command, which is shown whole.
_A_SENTENCE = 200
# Up so many lines, and clear from there.
_BACK = "\x1b[{lines}A\x1b[J"


_own_stderr: TextIO | None = None
_job = ""


class _Narration(io.TextIOWrapper):
    """The stream of narration. Its terminal may be closed, its disk full, its reader gone: no work
    stops for that, and the exit code remains."""

    def write(self, text: str) -> int:
        with suppress(OSError):
            return super().write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            super().flush()


def keep_stderr() -> None:
    """Go on writing where stderr goes now: while an engine starts, its log takes stderr's place."""
    global _own_stderr  # noqa: PLW0603 (one per process, like stderr itself)
    try:
        descriptor = os.dup(2)
    except OSError:  # started with stderr closed
        descriptor = os.open(os.devnull, os.O_WRONLY)
    binary = os.fdopen(descriptor, "wb")
    _own_stderr = _Narration(binary, errors="backslashreplace", line_buffering=True)


@contextmanager
def narrating_to_stderr() -> Iterator[None]:
    """Narrate to what stderr is now, in a process that is not ours, until the block ends."""
    global _own_stderr  # noqa: PLW0603 (as above)
    former, _own_stderr = _own_stderr, _own_stderr or sys.stderr
    try:
        yield
    finally:
        _own_stderr = former


def stderr() -> TextIO:
    """The stream of narration."""
    return _own_stderr or sys.stderr


@contextmanager
def about(job: str) -> Iterator[None]:
    """Name the job in each line that is said in the block, in a command of several."""
    global _job  # noqa: PLW0603 (as above)
    former, _job = _job, f"{job}: "
    try:
        yield
    finally:
        _job = former


def say(text: str) -> None:
    """One line of narration."""
    narrate(f"llmbatch: {visible.line(_job + text)}\n")


def narrate(text: str) -> None:
    """Narration of several lines, such as the report at the end of a run."""
    click.echo(visible.text(text), file=stderr(), nl=False)


def show(lines: Iterable[str]) -> None:
    """Lines that were asked for, for a person to read."""
    click.echo("".join(f"{visible.line(line)}\n" for line in lines), nl=False)


def draw(lines: Sequence[str], columns: int, over: int) -> None:
    """Lines of a terminal that is so many columns wide, in the place of the last `over` ones."""
    # A line that the terminal breaks would be two of it.
    shown = "".join(f"{visible.line(line)[: columns - 1]}\n" for line in lines)
    click.echo((_BACK.format(lines=over) if over else "") + shown, nl=False)


def data(text: str) -> None:
    """JSON or markup that was asked for, as it is, for another program."""
    click.echo(_exact(text, sys.stdout), nl=False)


def json(value: Any) -> None:
    """A value that was asked for, as indented JSON."""
    import orjson

    data(orjson.dumps(value, option=orjson.OPT_INDENT_2).decode() + "\n")


def event(text: str) -> None:
    """A line of JSON on stderr, for another program."""
    click.echo(_exact(text, stderr()), file=stderr(), nl=False)


def _exact(text: str, stream: TextIO) -> str:
    """The text; for a terminal, the same JSON without characters that it would obey."""
    return visible.json(text) if stream.isatty() else text


class Commands(click.Group):
    """A group of commands, shown under the titles that they were added with; what is wrong with a
    command line is narration like any other."""

    example = ""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.groups: dict[str, list[str]] = {}

    def add_group(self, title: str, *commands: click.Command) -> None:
        """Add commands, to be shown under a title."""
        for command in commands:
            self.add_command(command)
            self.groups.setdefault(title, []).append(str(command.name))

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands first: options of the group are few, and seldom wanted."""
        self.format_commands(ctx, formatter)
        write_example(formatter, self.example)
        click.Command.format_options(self, ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(map(len, self.commands))
        for title, names in self.groups.items():
            with formatter.section(title):
                lines = [
                    (name, self.commands[name].get_short_help_str(_A_SENTENCE)) for name in names
                ]
                formatter.write_dl([(name.ljust(width), text) for name, text in lines])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that was asked for; an unknown one is answered with the nearest."""
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            if ctx.resilient_parsing:
                return None, None, args
            near = nearest(name, self.commands)
            raise click.UsageError(f"{name}: there is no such command{near}", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what is wrong with its arguments knows the command."""
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            name = ctx.invoked_subcommand
            if error.ctx is None and name is not None and name in self.commands:
                error.ctx = click.Context(self.commands[name], info_name=name, parent=ctx)
            raise

    def main(self, *args: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        """Run a command, and leave with its exit code unless `standalone_mode` is off."""
        parent: Any = super().main
        run = partial(parent, *args, standalone_mode=False, **extra)
        return _narrated(run) if standalone_mode else run()


def write_example(formatter: click.HelpFormatter, example: str) -> None:
    """Command lines as they are, since a shell would read broken ones differently."""
    if example:
        formatter.write_paragraph()
        formatter.write("Example:\n" + example)


def _narrated(run: Callable[[], Any]) -> NoReturn:
    try:
        code = run() or ExitCode.OK
    except click.exceptions.NoArgsIsHelpError as error:
        narrate(error.message + "\n")
        code = error.exit_code
    except click.ClickException as error:
        from llmbatch.cli import usage_words

        say(f"error: {usage_words.line(error)}")
        code = error.exit_code
    except click.Abort:
        code = ExitCode.SIGINT
    leave(code)


def leave(code: int) -> NoReturn:
    """End the process with `code`."""
    sys.exit(int(code))


def leave_at_once(code: int) -> NoReturn:
    """End the process although a thread still hangs in the engine, and without taking apart what
    an engine has imported, which takes seconds."""
    sys.stdout.flush()
    stderr().flush()
    os._exit(int(code))


def leave_with(error: LlmbatchError) -> NoReturn:
    """End the process with the exit code of `error`."""
    (leave_at_once if isinstance(error, HungEngineError) else leave)(error.exit_code)


def reported(function: Callable[P, None]) -> Callable[P, None]:
    """Turn errors into one line and an exit code. Only a bug of ours shows a traceback."""

    @wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> None:
        keep_stderr()
        warnings.showwarning = _warn
        try:
            function(*args, **kwargs)
        except LlmbatchError as error:
            say(f"error: {' '.join(str(error).split())}")
            leave_with(error)
        except (click.exceptions.ClickException, click.exceptions.Exit, SystemExit):
            raise
        except KeyboardInterrupt as stop:
            leave(stop.args[0] if stop.args else ExitCode.SIGINT)
        except BrokenPipeError:
            abandon_stdout()
        except Exception:
            tell_bug()
            leave(ExitCode.BUG)

    return wrapper


def abandon_stdout() -> None:
    """Write no more to standard output: the reader of a pipe has gone (`| head`), which is no error
    of ours."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _warn(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
    """A library's warning, as narration."""
    say(f"warning: {message} ({category.__name__})")


def tell_bug() -> None:
    """Tell of the exception that is being handled, which is a bug of ours."""
    narrate(traceback.format_exc())
    say("error: this is a bug in llmbatch; what was committed is safe, please report the above")
