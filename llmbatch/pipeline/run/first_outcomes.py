"""The watch over the first outcomes of a run: where all fail for one reason, so would the rest."""

import re

from llmbatch.core.outcomes import FAILURE_KINDS, Failed
from llmbatch.pipeline.run.decision import Answered, DeadLetter, Decision

OUTCOMES = 50
"""A run is to stop when so many have failed for one reason, and no other has come."""
FINAL = 3
"""So many of them must be final, since what is tried again may well succeed."""

# Kinds of which each message is the same reason, with other numbers or words in it.
_BY_KIND = {"truncated", "context_full", "too_long", "timeout", "engine_crash"}
# What differs from row to row in a message: what is quoted, values in JSON, and numbers.
_DETAILS = re.compile(
    r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|\{.*\}|\[[^\]]*\]|\d+(?:\.\d+)?", re.DOTALL
)


class FirstOutcomes:
    """Counts the outcomes of a run until one is of another kind than the first."""

    def __init__(self) -> None:
        self._count = 0
        self._final = 0
        self._reason: str | None = None
        self.undecided = True
        """True until an outcome shows that the run may go on."""

    def count(self, decision: Decision) -> str | None:
        """Count an outcome; the reason to stop, if there is one now."""
        if not self.undecided:
            return None
        failed = decision.outcome
        if isinstance(decision, Answered) or not isinstance(failed, Failed):
            self.undecided = False
            return None
        reason = reason_of(failed)
        if self._reason not in (None, reason):
            self.undecided = False
            return None
        self._reason = reason
        self._count += 1
        self._final += isinstance(decision, DeadLetter)
        if self._count < OUTCOMES or self._final < FINAL:
            return None
        self.undecided = False
        return _words(self._count, failed)


def reason_of(failed: Failed) -> str:
    """The reason of a failure: its kind, and its message without what differs from row to row."""
    if failed.kind in _BY_KIND:
        return failed.kind
    return f"{failed.kind}: {_DETAILS.sub('*', failed.message)}"


def _words(count: int, failed: Failed) -> str:
    kind = FAILURE_KINDS.get(failed.kind)
    advice = f" ({kind.advice})" if kind else ""
    message = " ".join(failed.message.split())
    return (
        f"the first {count} outcomes all failed for one reason, {failed.kind}: {message[:200]}"
        f"{advice}; --fail-fast off goes on nevertheless"
    )
