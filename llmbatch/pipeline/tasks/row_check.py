"""Checks of answers where each row asks for a form of its own, bounded in time."""

import json
from collections.abc import Callable, Mapping
from dataclasses import astuple
from functools import lru_cache
from typing import Any, Self

from llmbatch.batch_files import drawing
from llmbatch.constraints.check import is_surely_quick, make_judge
from llmbatch.constraints.json_check import Judgement
from llmbatch.core.bounded_process import EndedError, Helper
from llmbatch.core.records import Constraint
from llmbatch.pipeline.tasks.bounded_check import LIMIT

# Of so many different forms the checks are kept; making one takes longer than using it.
_FORMS = 256
_judge_of = lru_cache(maxsize=_FORMS)(make_judge)


class RowCheck:
    """The check of the forms that rows ask for. A context manager, which leaves no process behind;
    the helper starts with the first answer whose check may take long."""

    def __init__(self, limit: float = LIMIT) -> None:
        """`limit`: seconds of processor time for an answer."""
        self._limit = limit
        self._helper = Helper(__name__, None, limit)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._helper.end()

    def __call__(self, text: str) -> Judgement:
        """The judgement of an answer without a form."""
        return Judgement(None, text)

    def of_row(self, text: str, body: Mapping[str, Any] | None) -> Judgement:
        """The judgement of the answer to a request with this body."""
        form = drawing.form_of(body or {})
        if is_surely_quick(form, text):
            return _judge_of(form)(text)
        assert form is not None, "what has no form is checked in no time"
        try:
            reply = self._helper.ask(json.dumps([*astuple(form), text]))
        except EndedError as ended:
            if ended.overdue:
                return Judgement(f"the check took longer than {self._limit:g} s", text)
            return Judgement("the check of this answer broke down", text)
        return Judgement(None, text) if reply is None else Judgement(*json.loads(reply))


def make_function(settings: None) -> Callable[[str], str | None]:
    """The function of the helper: an answer and its form to the judgement as JSON, None for one
    that is kept as it is."""

    def function(asked: str) -> str | None:
        kind, value, text = json.loads(asked)
        judgement = _judge_of(Constraint(kind, value))(text)
        return None if judgement == (None, text) else json.dumps(judgement)

    return function
