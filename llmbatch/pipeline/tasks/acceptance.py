"""The outcomes of an engine, checked: only an answer that keeps its constraint is accepted."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from llmbatch.constraints.json_check import Judge
from llmbatch.core.outcomes import Completed, Failed, Outcome
from llmbatch.pipeline.tasks import loops
from llmbatch.pipeline.tasks.base import RowJudge

# By finish reason: the failure kind of an answer that was cut, and what cut it.
_CUT_ANSWERS = {
    "length": ("truncated", "max_tokens"),
    "context": ("context_full", "prompt and answer fill the context"),
}
_SHOWN = 60
"""Characters of a repeated text in a message."""


class Acceptance:
    """Lets good answers through, in the form in which they are kept; a cut or wrong one becomes a
    failure."""

    def __init__(self, judge: Judge, *, loops_fail: bool = True, keeps_cut: bool = False) -> None:
        """`loops_fail`: a cut answer that ends in a loop is a failure of its own; `keeps_cut`: one
        that does not is an answer."""
        self._judge = judge
        self._of_row = judge.of_row if isinstance(judge, RowJudge) else None
        self._loops_fail = loops_fail
        self._keeps_cut = keeps_cut

    def __call__(self, outcome: Outcome, body: Mapping[str, Any] | None = None) -> Outcome:
        """The outcome of a request with this body, decided on."""
        if isinstance(outcome, Failed):
            return outcome
        if outcome.finish_reason in _CUT_ANSWERS:
            return self._cut(outcome)
        if outcome.finish_reason == "repetition":
            return _looping(outcome, loops.repeated_in(outcome.text))
        if self._of_row is not None:
            reason, text = self._of_row(outcome.text, body)
        else:
            reason, text = self._judge(outcome.text)
        if reason is not None:
            return _rejected(outcome, "invalid_output", reason)
        return outcome if text == outcome.text else replace(outcome, text=text)

    def _cut(self, outcome: Completed) -> Outcome:
        repeated = loops.repeated_in(outcome.text) if self._loops_fail else None
        if repeated is not None:
            return _looping(outcome, repeated)
        if self._keeps_cut:
            return outcome
        kind, why = _CUT_ANSWERS[outcome.finish_reason]
        return _rejected(outcome, kind, f"cut off after {outcome.usage.output} tokens ({why})")


def _looping(outcome: Completed, repeated: str | None) -> Failed:
    shown = "" if repeated is None else f": {repeated.strip()[:_SHOWN] or 'white space'!r}"
    message = f"repeats itself, ended after {outcome.usage.output} tokens{shown}"
    return _rejected(outcome, "repetition", message)


def _rejected(outcome: Completed, kind: str, message: str) -> Failed:
    return Failed(outcome.key, kind, message, outcome.usage, outcome.text, outcome.finish_reason)
