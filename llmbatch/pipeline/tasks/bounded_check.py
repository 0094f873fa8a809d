"""Checks of answers, bounded in time.

A pattern may try exponentially many ways to match an answer that almost fits, and a schema has more
such corners. What is not surely quick is checked in another process.
"""

from dataclasses import astuple
from typing import Self

from llmbatch.constraints.check import Check, is_surely_quick, make_check
from llmbatch.core.records import Constraint
from llmbatch.pipeline.bounded_process import EndedError, Helper

LIMIT = 2.0
"""Seconds of processor time that the check of one answer may take."""


class BoundedCheck:
    """The check of one constraint, whose helper starts while the engine does.

    A context manager, which leaves no process behind.
    """

    def __init__(self, constraint: Constraint | None, limit: float = LIMIT) -> None:
        """`limit`: seconds of processor time for an answer."""
        self._constraint = constraint
        self._limit = limit
        self._check = make_check(constraint)
        self._helper = Helper(__name__, constraint and astuple(constraint), limit)

    def __enter__(self) -> Self:
        if not is_surely_quick(self._constraint, ""):
            self._helper.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._helper.end()

    def __call__(self, text: str) -> str | None:
        """The reason why an answer breaks the constraint or could not be checked; else None."""
        if is_surely_quick(self._constraint, text):
            return self._check(text)
        try:
            return self._helper.ask(text)
        except EndedError as ended:
            if ended.overdue:
                return f"the check took longer than {self._limit:g} s"
            return "the check of this answer broke down"


def make_function(settings: tuple[str, str]) -> Check:
    """The function of the helper."""
    kind, value = settings
    return make_check(Constraint(kind, value))  # type: ignore[arg-type]
