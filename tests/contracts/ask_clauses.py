"""The clauses about answers that are no text, by kind of `core.records.Ask`.

Each is a function of an engine that answers an ask, and fails by an assertion.
"""

import base64
import json
import math
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from llmbatch.core.outcomes import FAILURE_KINDS, Completed, Failed, Outcome, Usage
from llmbatch.core.records import Ask, Message, Request, Sampling
from llmbatch.engines.base import Engine

SAMPLING = Sampling(max_tokens=1)


@dataclass(frozen=True)
class Asked:
    """An engine that answers an ask with `width` numbers."""

    engine: Engine
    ask: Ask
    width: int


def request(asked: Asked, text: str, number: int = 0) -> Request:
    """A request of the kind, about this text."""
    roles = {"labels": ("user",), "score": ("query", "document")}.get(asked.ask.kind, ("text",))
    messages = tuple(Message(role, text) for role in roles)  # type: ignore[arg-type]
    key = f"{number:032x}"
    return Request(key, messages, SAMPLING, ask=asked.ask)


def outcomes(engine: Engine, requests: Iterable[Request]) -> dict[str, Outcome]:
    found = {}
    for outcome in engine.run(iter(requests)):
        assert not hasattr(outcome, "keys")
        assert outcome.key not in found
        found[outcome.key] = outcome
    return found


def numbers(ask: Ask, text: str) -> list[float]:
    """The numbers of an answer. Fails for one of another form."""
    if ask.kind == "labels":
        values = json.loads(text)
        assert all(value <= 0 for value in values), "log probabilities"
        return [float(value) for value in values]
    packed = base64.b64decode(text, validate=True)
    return list(struct.unpack(f"<{len(packed) // 4}f", packed))


def each_request_has_one_answer_of_its_form(asked: Asked) -> None:
    sent = [request(asked, f"row {number} of some", number) for number in range(30)]
    found = outcomes(asked.engine, sent)
    assert found.keys() == {one.key for one in sent}
    for outcome in found.values():
        assert isinstance(outcome, Completed)
        assert outcome.finish_reason == "stop"
        values = numbers(asked.ask, outcome.text)
        assert len(values) == asked.width
        assert all(map(math.isfinite, values))


def the_same_is_answered_alike(asked: Asked) -> None:
    first, second = (outcomes(asked.engine, [request(asked, "the same", n)]) for n in (1, 2))
    (one,), (two,) = first.values(), second.values()
    pairs = zip(numbers(asked.ask, one.text or ""), numbers(asked.ask, two.text or ""), strict=True)
    assert all(math.isclose(a, b, abs_tol=2e-3, rel_tol=2e-2) for a, b in pairs)


def other_texts_have_other_answers(asked: Asked) -> None:
    sent = [request(asked, text, n) for n, text in enumerate(("a parcel is late", "9 + 4"))]
    one, two = outcomes(asked.engine, sent).values()
    assert one.text != two.text


def tokens_are_counted_and_none_are_made_where_an_answer_is_pooled(asked: Asked) -> None:
    before = asked.engine.telemetry()
    sent = [request(asked, f"count these words {number}", number) for number in range(9)]
    used = [outcome.usage for outcome in outcomes(asked.engine, sent).values()]
    assert all(usage.prompt >= 4 for usage in used)
    assert not asked.ask.pools or not any(usage.output for usage in used)
    after = asked.engine.telemetry()
    assert after.prompt_tokens - before.prompt_tokens == sum(usage.prompt for usage in used)
    assert after.output_tokens - before.output_tokens == sum(usage.output for usage in used)
    assert (after.running, after.waiting) == (0, 0)


def a_text_that_is_too_long_fails_alone(asked: Asked) -> None:
    sent = [request(asked, "fits", 1), request(asked, "word " * 2000, 2), request(asked, "too", 3)]
    found = outcomes(asked.engine, sent)
    assert [isinstance(one, Failed) for _, one in sorted(found.items())] == [False, True, False]
    failed = found[sent[1].key]
    assert isinstance(failed, Failed)
    assert failed.kind == "too_long"
    assert failed.kind in FAILURE_KINDS
    assert failed.usage == Usage()


def a_run_after_a_closed_one_sees_only_its_own(asked: Asked) -> None:
    given_up = asked.engine.run(request(asked, f"old {n}", n) for n in range(30))
    next(given_up)
    given_up.close()  # type: ignore[attr-defined]
    assert asked.engine.telemetry().running == 0
    sent = [request(asked, f"new {n}", 100 + n) for n in range(20)]
    assert outcomes(asked.engine, sent).keys() == {one.key for one in sent}


CLAUSES: Sequence[Callable[[Asked], None]] = (
    each_request_has_one_answer_of_its_form,
    the_same_is_answered_alike,
    other_texts_have_other_answers,
    tokens_are_counted_and_none_are_made_where_an_answer_is_pooled,
    a_text_that_is_too_long_fails_alone,
    a_run_after_a_closed_one_sees_only_its_own,
)


def broken(asked: Asked) -> list[str]:
    """The names of the clauses that an engine breaks."""
    found = []
    for clause in CLAUSES:
        try:
            clause(asked)
        except AssertionError:
            found.append(clause.__name__)
    return found
