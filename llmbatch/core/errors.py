"""Exit codes, and the errors that a user can act on.

Anything else that escapes is a bug and exits 1.
"""

import difflib
from collections.abc import Iterable
from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes of the command, for make, cron and CI."""

    OK = 0
    BUG = 1
    USAGE = 2
    INCOMPLETE = 3
    STOPPED = 4
    ENGINE = 5
    GOLD = 6
    LOCKED = 75
    SIGHUP = 129
    SIGINT = 130
    SIGTERM = 143


class LlmbatchError(Exception):
    """An error with one clear line for the user and an exit code."""

    exit_code = ExitCode.BUG


class UsageError(LlmbatchError):
    """The job, its input or its output cannot be used; nothing was run."""

    exit_code = ExitCode.USAGE


class StoreError(LlmbatchError):
    """The store cannot be opened or written; what was committed is safe."""

    exit_code = ExitCode.USAGE


class InvariantError(LlmbatchError):
    """An invariant is broken: a bug of llmbatch, which must not reach an output."""


class UnwrittenError(LlmbatchError):
    """A disk refused what was computed; what was committed is safe, the same command resumes."""

    exit_code = ExitCode.STOPPED


class HelperError(LlmbatchError):
    """A process that a run needs beside the engine does not start; the same command resumes."""

    exit_code = ExitCode.STOPPED


class EngineError(LlmbatchError):
    """The engine could not start or is gone; the same command resumes."""

    exit_code = ExitCode.ENGINE


class HungEngineError(EngineError):
    """The engine hangs and cannot be ended: only the end of the process frees its device."""


class MismatchedEngineError(EngineError):
    """The engine's software does not fit this llmbatch: another start would not help, and no
    request is at fault."""


class LockedError(LlmbatchError):
    """Another run holds the job."""

    exit_code = ExitCode.LOCKED


class DeviceLockedError(LockedError):
    """Another run holds a device of the job."""


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint such as ` (did you mean 'text'?)`, or an empty string."""
    choices = list(known)
    folded = {choice.casefold(): choice for choice in choices}
    hits = difflib.get_close_matches(word.casefold(), folded, n=1, cutoff=0.6)
    return f" (did you mean {folded[hits[0]]!r}?)" if hits else ""
