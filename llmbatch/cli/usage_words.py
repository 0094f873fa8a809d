"""Words for a command line that cannot be read: the flag, what it takes, and where the help is."""

import re
from collections.abc import Sequence

import click

from llmbatch.core.errors import nearest

# In the parser's sentences, what was given stands first.
_GIVEN = re.compile(r"(?P<given>.+?) is not ")
_EXTRA = re.compile(r"Got unexpected extra arguments? \((?P<given>.*)\)")
_MOST = 1e6


def line(error: click.ClickException) -> str:
    """The fault of a command line, and where its help is."""
    command = getattr(getattr(error, "ctx", None), "command_path", "llmbatch")
    return f"{_fault(error)} (see {command} --help)"


def _fault(error: click.ClickException) -> str:
    if isinstance(error, click.MissingParameter):
        return f"{_name(error)} is missing"
    if isinstance(error, click.NoSuchOption):
        near = f" (did you mean {error.possibilities[0]}?)" if error.possibilities else ""
        return f"{error.option_name}: there is no such flag{near}"
    if isinstance(error, click.BadOptionUsage):
        what = "takes no value" if "does not take" in error.message else "needs a value"
        return f"{error.option_name}: {what}"
    if isinstance(error, click.BadParameter):
        return f"{_name(error)}: {_wrong_value(error)}"
    if extra := _EXTRA.search(error.message):
        return f"{extra['given']}: one argument too many; what holds blanks has to be in quotes"
    return error.message.rstrip(".")


def _name(error: click.BadParameter) -> str:
    """The flag or argument, as the help has it."""
    if isinstance(error.param, click.Option):
        return max(error.param.opts, key=len)
    if error.param is not None:
        return error.param.make_metavar(error.ctx or click.Context(click.Command("llmbatch")))
    return "command line"


def _wrong_value(error: click.BadParameter) -> str:
    kind = error.param.type if error.param is not None else None
    found = _GIVEN.match(error.message)
    if kind is None or found is None or not (wanted := _wanted(kind)):
        return error.message.rstrip(".")
    given = found["given"]
    near = nearest(given.strip("'"), kind.choices) if isinstance(kind, click.Choice) else ""
    return f"must be {wanted}{near} (got {given})"


def _wanted(kind: object) -> str:
    """The values that a flag of this type takes; empty if it has words of its own."""
    if isinstance(kind, click.Choice):
        return either([repr(choice) for choice in kind.choices])
    if not isinstance(kind, type(click.INT) | type(click.FLOAT)):
        return ""
    what = "a whole number" if isinstance(kind, type(click.INT)) else "a number"
    return what + _range(getattr(kind, "min", None), getattr(kind, "max", None))


def _range(least: float | None, most: float | None) -> str:
    if most is None or most > _MOST:
        return "" if least is None else f", {least:g} or more"
    return f" from {least or 0:g} to {most:,g}"


def either(choices: Sequence[str]) -> str:
    """`a, b or c`."""
    *others, last = choices
    return f"{', '.join(others)} or {last}" if others else last
