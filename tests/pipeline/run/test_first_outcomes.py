"""A run whose first outcomes all fail for one reason is to stop."""

import pytest

from llmbatch.core.outcomes import NO_TRIES, Completed, Failed, Usage
from llmbatch.pipeline.run.decision import Decision, decide
from llmbatch.pipeline.run.first_outcomes import FINAL, OUTCOMES, FirstOutcomes, reason_of


def failing(kind: str, message: str = "no", attempts: int = 1) -> Decision:
    return decide(Failed("k", kind, message), NO_TRIES, attempts)


ANSWER = decide(Completed("k", "yes", "stop", Usage()), NO_TRIES, 1)


def stopped_after(decisions: list[Decision]) -> int | None:
    watch = FirstOutcomes()
    for number, decision in enumerate(decisions, start=1):
        if watch.count(decision):
            assert not watch.undecided
            return number
    return None


def test_it_stops_at_the_fiftieth_failure() -> None:
    assert stopped_after([failing("too_long")] * 60) == OUTCOMES == 50
    assert stopped_after([failing("too_long")] * 49 + [ANSWER] + [failing("too_long")] * 60) is None
    assert stopped_after([ANSWER] + [failing("too_long")] * 60) is None
    assert stopped_after([failing("timeout")] + [failing("too_long")] * 60) is None


def test_failures_that_are_tried_again_do_not_stop_it_alone() -> None:
    again, final = failing("truncated", attempts=2), failing("truncated")
    assert stopped_after([again] * 200) is None
    assert stopped_after([again] * 200 + [final] * FINAL) == 200 + FINAL
    assert stopped_after([again] * 200 + [final] * (FINAL - 1) + [ANSWER] + [final] * 99) is None


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("is not JSON: unexpected character: line 1 column 9 (char 8)",
         "is not JSON: unexpected character: line 2 column 1 (char 17)", True),
        ("breaks the schema at $.a[3]: 'it\\'s 5' is not of type 'integer'",
         "breaks the schema at $.a[0]: \"x\" is not of type 'integer'", True),
        ("breaks the schema at $.a: 3.5 is not of type 'integer'",
         "breaks the schema at $.b: 3.5 is not of type 'integer'", False),
        ("is not JSON: unexpected end", "does not match the regex", False),
        ("{'a': {'b': 1}} is too long", "[1, 2] is too long", True),
    ],
)  # fmt: skip
def test_a_reason_is_the_message_without_details(one: str, other: str, same: bool) -> None:
    found = [reason_of(Failed("k", "invalid_output", text)) for text in (one, other)]
    assert (found[0] == found[1]) is same


def test_lengths_are_no_part_of_a_reason() -> None:
    cut = [Failed("k", "truncated", f"cut off after {n} tokens (max_tokens)") for n in (5, 12)]
    assert len({reason_of(each) for each in cut}) == 1
