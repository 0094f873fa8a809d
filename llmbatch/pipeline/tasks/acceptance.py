"""The outcomes of an engine, checked: only an answer that keeps its constraint is accepted."""

from dataclasses import replace

from llmbatch.constraints.json_check import Judge
from llmbatch.core.outcomes import Completed, Failed, Outcome

# By finish reason: the failure kind of an answer that was cut, and what cut it.
_CUT_ANSWERS = {
    "length": ("truncated", "max_tokens"),
    "context": ("context_full", "prompt and answer fill the context"),
}


class Acceptance:
    """Lets good answers through, in the form in which they are kept; a cut or wrong one becomes a
    failure."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge

    def __call__(self, outcome: Outcome) -> Outcome:
        if isinstance(outcome, Failed):
            return outcome
        if outcome.finish_reason in _CUT_ANSWERS:
            kind, why = _CUT_ANSWERS[outcome.finish_reason]
            return _rejected(outcome, kind, f"cut off after {outcome.usage.output} tokens ({why})")
        reason, text = self._judge(outcome.text)
        if reason is not None:
            return _rejected(outcome, "invalid_output", reason)
        return outcome if text == outcome.text else replace(outcome, text=text)


def _rejected(outcome: Completed, kind: str, message: str) -> Failed:
    return Failed(outcome.key, kind, message, outcome.usage, outcome.text, outcome.finish_reason)
