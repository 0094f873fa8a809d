"""The decision after one try of a request, for every kind of failure."""

from dataclasses import replace

import pytest

from llmbatch.core.outcomes import (
    FAILURE_KINDS,
    NO_TRIES,
    UNFIT_KINDS,
    Completed,
    Failed,
    Tries,
    Usage,
    Verdict,
)
from llmbatch.pipeline.run.decision import Answered, DeadLetter, TryAgain, decide

ANSWER = Completed("k", "text", "stop", Usage(3, 1, 2))
# The failed tries after the first one, of the kinds that may be tried again.
RETRYABLE = {
    "truncated": Tries(1, 1, truncated=1),
    "invalid_output": Tries(1, 1, invalid=1),
    "check_failed": Tries(1, 1, invalid=1),
    "repetition": Tries(1, 1, repeated=1),
    "unfinished_thinking": Tries(1, 1, truncated=1, invalid=1),
}


@pytest.mark.parametrize("tries", [NO_TRIES, Tries(9, 9, 5, 4)])
def test_an_answer_is_accepted_whatever_was_tried_before(tries: Tries) -> None:
    assert decide(ANSWER, tries, most_attempts=1) == Answered(ANSWER)


@pytest.mark.parametrize("kind", FAILURE_KINDS)
def test_the_first_failure_of_a_kind(kind: str) -> None:
    failed = Failed("k", kind, "why")
    again = TryAgain(failed, RETRYABLE[kind]) if kind in RETRYABLE else DeadLetter(failed)
    assert decide(failed, NO_TRIES, most_attempts=3) == again


@pytest.mark.parametrize("kind", FAILURE_KINDS)
def test_the_last_try_that_fails_makes_a_dead_letter(kind: str) -> None:
    failed = Failed("k", kind, "why")
    assert decide(failed, NO_TRIES, most_attempts=1) == DeadLetter(failed)
    tries = Tries(2, 2, truncated=1, invalid=1)
    assert decide(failed, tries, most_attempts=3) == DeadLetter(failed)


@pytest.mark.parametrize("kind", FAILURE_KINDS)
def test_a_reopened_request_has_all_of_its_tries_again(kind: str) -> None:
    failed, reopened = Failed("k", kind, "why"), Tries(7, 0, truncated=5, invalid=2)
    decided = decide(failed, reopened, most_attempts=2)
    assert decided.verdict == (Verdict.RETRY if kind in RETRYABLE else Verdict.DEAD)
    if isinstance(decided, TryAgain):
        assert (decided.tries.attempts, decided.tries.since_reopened) == (8, 1)


@pytest.mark.parametrize("kind", FAILURE_KINDS)
def test_a_try_that_fails_for_what_it_was_told_costs_the_request_nothing(kind: str) -> None:
    failed, tries = Failed("k", kind, "why"), Tries(1, 1, invalid=1)
    decided = decide(failed, tries, most_attempts=2, told=True)
    if kind in UNFIT_KINDS:
        without = replace(failed, message="with feedback: why; tried again without")
        assert decided == TryAgain(without, Tries(2, 1, invalid=1, unfit=1))
    else:
        assert decided == DeadLetter(failed)
    assert decide(failed, tries, most_attempts=2) == DeadLetter(failed)


def test_a_kind_that_is_not_in_the_table_is_never_tried_again() -> None:
    failed = Failed("k", "made up", "why")
    assert decide(failed, NO_TRIES, most_attempts=9) == DeadLetter(failed)


def test_verdicts_are_the_texts_that_the_store_keeps() -> None:
    found = [decided.verdict for decided in (Answered, TryAgain, DeadLetter)]
    assert found == ["answered", "retry", "dead"] == list(Verdict)
