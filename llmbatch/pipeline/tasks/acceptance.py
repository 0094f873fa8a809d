"""The outcomes of an engine, checked: only an answer that keeps its constraint is accepted."""

from llmbatch.constraints.check import Check
from llmbatch.core.outcomes import Completed, Failed, Outcome

# By finish reason: the failure kind of an answer that was cut, and what cut it.
_CUT_ANSWERS = {
    "length": ("truncated", "max_tokens"),
    "context": ("context_full", "prompt and answer fill the context"),
}


class Acceptance:
    """Lets good answers through; a cut or wrong one becomes a failure."""

    def __init__(self, check: Check) -> None:
        self._check = check

    def __call__(self, outcome: Outcome) -> Outcome:
        if isinstance(outcome, Failed):
            return outcome
        if outcome.finish_reason in _CUT_ANSWERS:
            kind, why = _CUT_ANSWERS[outcome.finish_reason]
            return _rejected(outcome, kind, f"cut off after {outcome.usage.output} tokens ({why})")
        reason = self._check(outcome.text)
        return outcome if reason is None else _rejected(outcome, "invalid_output", reason)


def _rejected(outcome: Completed, kind: str, message: str) -> Failed:
    return Failed(outcome.key, kind, message, outcome.usage, outcome.text, outcome.finish_reason)
