"""Asking a backend about a grammar and texts, in a child process: it may end, or take for ever.

The child imports the backend alone, and gives it a vocabulary of the 256 bytes: which texts a
grammar takes does not depend on the model's tokens, and its preparation takes no time then.
xgrammar imports torch and transformers only for what is not asked here, so the child stands
something empty in their places: 0.7 seconds of processor time instead of 7.
"""

import contextlib
import json
import select
import subprocess
from collections.abc import Sequence
from typing import Any, NamedTuple, Self

from llmbatch.core import bounded_process, clock

LIMIT = 60
"""Seconds of processor time that a backend gets for a grammar and all texts."""
_WAIT = 3 * LIMIT  # seconds for an answer, on a busy machine
_CHILD = "llmbatch.engines.vllm.grammar_child"


class TrialEndedError(Exception):
    """The child has ended over what it was asked, or took too long."""


class Verdict(NamedTuple):
    """The word of a backend on a grammar: why it refuses it, if it does; `seconds`: of processor
    time, to compile it; `asked`: False where the backend could not be asked."""

    refusal: str | None
    seconds: float
    asked: bool = True


class GrammarTrial:
    """One grammar in a child process. `kind` and `value` as in `Constraint`."""

    def __init__(
        self, backend: str, kind: str, value: str, *, whitespace: bool = False, limit: int = LIMIT
    ) -> None:
        self._question = [backend, kind, value, whitespace, limit]
        self._limit = limit
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._process = bounded_process.serving(_CHILD)
        with contextlib.suppress(OSError):
            self._send(self._question)
        return self

    def __exit__(self, *_: object) -> None:
        process = self._process
        if process is None:
            return
        bounded_process.kill(process)
        process.wait()

    def verdict(self) -> Verdict:
        """The word of the backend on the grammar, once it has compiled it."""
        try:
            return Verdict(*self._receive())
        except TrialEndedError:
            if self._returned() == 1:  # Python's, for an error such as a failed import
                return Verdict(None, 0.0, asked=False)
            reason = f"it takes more than {self._limit} seconds, or the process ends over it"
            return Verdict(reason, float(self._limit))

    def accepts(self, texts: Sequence[str]) -> list[int | None]:
        """For each text the characters taken before it was refused, None if it was taken as a
        whole. Raises TrialEndedError."""
        try:
            self._send(texts)
        except OSError as error:
            raise TrialEndedError from error
        taken: list[int | None] = self._receive()
        return taken

    def _returned(self) -> int | None:
        try:
            return self._process.wait(5) if self._process else None
        except subprocess.TimeoutExpired:
            return None

    def _send(self, message: Any) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()

    def _receive(self) -> Any:
        assert self._process is not None
        assert self._process.stdout is not None
        begun, line = clock.seconds(), b""
        while not line.endswith(b"\n"):
            left = _WAIT - (clock.seconds() - begun)
            ready, _, _ = select.select([self._process.stdout], [], [], max(0.0, left))
            part = self._process.stdout.read1() if ready else b""  # type: ignore[attr-defined]
            if not part:
                raise TrialEndedError
            line += part
        return json.loads(line)
