"""Requests that vLLM or its grammars refuse fail alone, and none of them is sent."""

import json
from typing import Any

import pytest

from llmbatch.core.outcomes import Completed, Failed
from llmbatch.core.records import Constraint
from tests.engines.vllm import session
from tests.engines.vllm.requests import ask, choice, schema

pytestmark = session.needs_vllm


def _json(value: Any) -> Constraint:
    return Constraint("json", json.dumps(value))


BAD = {
    "fewer than none": schema(a={"type": "object", "properties": {"b": {}}, "maxProperties": -1}),
    "cut JSON": Constraint("json", "{"),
    "no schema": _json([1]),
    "false": _json(False),
    "unknown type": _json({"type": "objekt"}),
    "nothing satisfies it": _json({"type": "integer", "minimum": 5, "maximum": 1}),
    "empty enum": _json({"enum": []}),
    "dangling reference": _json({"$ref": "#/$defs/none"}),
    "bad pattern": schema(a={"type": "string", "pattern": "("}),
    "open group": Constraint("regex", "("),
    "look-ahead": Constraint("regex", "(?=a)b"),
    "back-reference": Constraint("regex", r"(a)\1"),
    "no choice": choice(),
    "choice of numbers": Constraint("choice", "[1, 2]"),
    "choice of half a character": choice("\ud800"),
}
LARGE = Constraint("regex", "a{1,500}")


@pytest.fixture(scope="module")
def outcomes() -> Any:
    """All of them in one run, each after a good request; and what was sent."""
    engine, named = session.started()[0], {}
    for name, constraint in BAD.items():
        named[f"before {name}"] = ask(f"before {name}")
        named[name] = ask("hello", constraint, max_tokens=20)
    named["half a character"] = ask("\ud800")
    named["large"] = ask("hello", LARGE, max_tokens=20)
    with session.sent(engine) as sent:
        by_key = {outcome.key: outcome for outcome in engine.run(named.values())}
    return {name: by_key[request.key] for name, request in named.items()} | {"sent": sent}


@pytest.mark.parametrize("name", [*BAD, "half a character"])
def test_a_bad_request_is_refused_with_one_line(outcomes: Any, name: str) -> None:
    outcome = outcomes[name]
    assert isinstance(outcome, Failed)
    assert outcome.kind == "refused_request"
    assert outcome.message
    assert "\n" not in outcome.message


def test_a_large_grammar_is_answered(outcomes: Any) -> None:
    assert outcomes["large"].text.startswith("a")


def test_the_others_are_answered(outcomes: Any) -> None:
    good = [outcome for name, outcome in outcomes.items() if name.startswith("before ")]
    assert len(good) == len(BAD)
    assert all(isinstance(outcome, Completed) for outcome in good)
    # Those, and the large one.
    assert len(outcomes["sent"]) == len(good) + 1
