"""The decision on a request after one try: answered, tried again, or a dead letter.

Counting, storing and sending again all act on this one value.
"""

from dataclasses import dataclass, replace
from typing import ClassVar

from llmbatch.core.outcomes import FAILURE_KINDS, Completed, Failed, Outcome, Tries, Verdict
from llmbatch.pipeline.tasks import retry


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer is accepted."""

    outcome: Completed
    verdict: ClassVar[Verdict] = Verdict.ANSWERED


@dataclass(frozen=True, slots=True)
class TryAgain:
    """This try failed, and another may help. `tries`: the failed ones, this one included; the task
    makes the next request by them (see `tasks.retry`)."""

    outcome: Failed
    tries: Tries
    verdict: ClassVar[Verdict] = Verdict.RETRY


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """This try failed, and no other follows; kind and reason are those of `outcome`."""

    outcome: Failed
    verdict: ClassVar[Verdict] = Verdict.DEAD


Decision = Answered | TryAgain | DeadLetter


def decide(checked: Outcome, tries: Tries, most_attempts: int, *, told: bool = False) -> Decision:
    """The decision. `checked`: an accepted answer or a failure; `tries`: those that failed before;
    `most_attempts`: the most tries of a request since it was last reopened; `told`: this try was
    told of the failed answer before it."""
    if isinstance(checked, Completed):
        return Answered(checked)
    kind = FAILURE_KINDS.get(checked.kind)
    failed = retry.after(tries, checked.kind, told=told)
    if failed.unfit > tries.unfit:
        reason = f"with feedback: {checked.message}; tried again without"
        return TryAgain(replace(checked, message=reason), failed)
    may_help = kind is not None and kind.retryable and not checked.is_final
    if may_help and failed.since_reopened < most_attempts:
        return TryAgain(checked, failed)
    return DeadLetter(checked)
