"""`--notify`: a command of the user's that is told of the end of a run, however it ends."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from llmbatch.cli import console
from llmbatch.core.errors import ExitCode, LlmbatchError

_SECONDS = 60.0
_LONGEST_REASON = 1_000
_STATES = {
    ExitCode.OK: "finished",
    ExitCode.USAGE: "refused",
    ExitCode.INCOMPLETE: "finished",
    ExitCode.STOPPED: "stopped",
    ExitCode.GOLD: "stopped",
    ExitCode.LOCKED: "locked",
    ExitCode.SIGHUP: "stopped",
    ExitCode.SIGINT: "stopped",
    ExitCode.SIGTERM: "stopped",
}


@dataclass(slots=True)
class Notice:
    """All that `command` (None: there is none) is told at the end of a run: the report as JSON on
    its standard input, nothing if there is none, and the rest in its environment. It has so many
    `seconds`."""

    command: str | None
    seconds: float = _SECONDS
    report: str = ""
    reason: str = ""
    about: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def told(self) -> Iterator[None]:
        """Send it when what is inside fails; else `send` does. The exit code stays as it is."""
        try:
            yield
        except KeyboardInterrupt as stop:
            code = stop.args[0] if stop.args else ExitCode.SIGINT
            self.reason = self.reason or "stopped by a signal"
            self.send(int(code))
            raise
        except SystemExit as end:
            self.send(end.code if isinstance(end.code, int) else ExitCode.OK)
            raise
        except Exception as error:
            is_ours = isinstance(error, LlmbatchError) or hasattr(error, "exit_code")
            self.reason = " ".join(str(error).split()) if is_ours else "a bug in llmbatch"
            self.send(int(getattr(error, "exit_code", ExitCode.BUG)))
            raise

    def send(self, code: int) -> None:
        """Run the command, once and for a bounded time. A fault of it is told and changes
        nothing."""
        command, self.command = self.command, None
        if command is None:
            return
        told = {
            "LLMBATCH_EXIT_CODE": str(int(code)),
            "LLMBATCH_STATE": _STATES.get(ExitCode(code), "failed") if code in _CODES else "failed",
            "LLMBATCH_REASON": self.reason.replace("\0", " ")[:_LONGEST_REASON],
        }
        try:
            fault = self._run(command, os.environ | self.about | told)
        except (OSError, ValueError, KeyboardInterrupt) as error:
            fault = f"cannot be run: {error}" if str(error) else "was stopped by a signal"
        if fault:
            console.say(f"warning: --notify: the command {fault}; the run is not affected")

    def _run(self, command: str, environment: dict[str, str]) -> str:
        """The fault of the command; empty if it did well. Files stand at the ends of its streams,
        so that no process that it leaves behind holds this one up."""
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
            given.write(self.report.encode())
            given.seek(0)
            child = subprocess.Popen(
                ["/bin/sh", "-c", command],
                stdin=given,
                stdout=said,
                stderr=said,
                env=environment,
                start_new_session=True,
            )
            try:
                code = child.wait(self.seconds)
            except subprocess.TimeoutExpired:
                return f"took more than {self.seconds:g} s and was ended"
            finally:
                _end(child)
            said.seek(0)
            lines = said.read(2**16).decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return f"ended with exit code {code}{last and f': {last[:200]}'}" if code else ""


_CODES = frozenset(map(int, ExitCode))


def _end(child: subprocess.Popen[bytes]) -> None:
    """End a command that still runs, and the processes that it started."""
    if child.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
