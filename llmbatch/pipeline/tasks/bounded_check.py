"""Checks of answers, bounded in time.

A pattern may try exponentially many ways to match an answer that almost fits, and a schema has more
such corners. What is not surely quick is checked in another process.
"""

import json
from collections.abc import Callable
from dataclasses import astuple
from typing import Self

from llmbatch.constraints.check import is_surely_quick, make_judge
from llmbatch.constraints.json_check import Judgement
from llmbatch.core.bounded_process import EndedError, Helper
from llmbatch.core.records import Constraint

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
        self._judge = make_judge(constraint)
        self._helper = Helper(__name__, constraint and astuple(constraint), limit)

    def __enter__(self) -> Self:
        if not is_surely_quick(self._constraint, ""):
            self._helper.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._helper.end()

    def __call__(self, text: str) -> Judgement:
        """The judgement of an answer, or the reason why it could not be checked."""
        if is_surely_quick(self._constraint, text):
            return self._judge(text)
        try:
            reply = self._helper.ask(text)
        except EndedError as ended:
            if ended.overdue:
                return Judgement(f"the check took longer than {self._limit:g} s", text)
            return Judgement("the check of this answer broke down", text)
        return Judgement(None, text) if reply is None else Judgement(*json.loads(reply))


def make_function(settings: tuple[str, str]) -> Callable[[str], str | None]:
    """The function of the helper: None for an answer that is kept as it is, else the judgement as
    JSON."""
    kind, value = settings
    judge = make_judge(Constraint(kind, value))  # type: ignore[arg-type]

    def function(text: str) -> str | None:
        judgement = judge(text)
        return None if judgement == (None, text) else json.dumps(judgement)

    return function
