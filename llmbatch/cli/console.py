"""The only writer of stderr, and the keeper of exit codes. Standard output is for data."""

import os
import sys
import traceback
from collections.abc import Callable
from functools import wraps
from typing import NoReturn, ParamSpec

import click

from llmbatch.core.errors import ExitCode, LlmbatchError

P = ParamSpec("P")


def say(text: str) -> None:
    """One line of narration."""
    click.echo(f"llmbatch: {text}", err=True)


def narrate(text: str) -> None:
    """Narration of several lines, such as the report at the end of a run."""
    click.echo(text, err=True, nl=False)


def data(text: str) -> None:
    """Something that was asked for, as it is."""
    click.echo(text, nl=False)


def leave(code: int) -> NoReturn:
    """End the process with `code`."""
    sys.exit(int(code))


def leave_at_once(code: int) -> NoReturn:
    """End the process although a thread still hangs in the engine."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(int(code))


def reported(function: Callable[P, None]) -> Callable[P, None]:
    """Turn errors into one line and an exit code. Only a bug of ours shows a traceback."""

    @wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            function(*args, **kwargs)
        except LlmbatchError as error:
            say(f"error: {' '.join(str(error).split())}")
            leave(error.exit_code)
        except (click.exceptions.ClickException, click.exceptions.Exit, SystemExit):
            raise
        except KeyboardInterrupt as stop:
            leave(stop.args[0] if stop.args else ExitCode.SIGINT)
        except BrokenPipeError:
            _abandon_stdout()
        except Exception:
            _bug()

    return wrapper


def _abandon_stdout() -> None:
    """The reader of a pipe has gone (`| head`): that is no error of ours."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _bug() -> NoReturn:
    click.echo(traceback.format_exc(), err=True, nl=False)
    say("error: this is a bug in llmbatch; what was committed is safe, please report the above")
    leave(ExitCode.BUG)
