"""The proof that a backend's grammar and the check mean the same, in its processes."""

import json
from typing import Any

import pytest

from llmbatch.constraints.backends import copy_for
from llmbatch.core.records import Constraint
from llmbatch.engines.grammar_plan import GrammarPlan
from llmbatch.engines.vllm import grammar, proof


def schema_of(**value: Any) -> Constraint:
    made = {"type": "object", "properties": {"a": value}, "required": ["a"]}
    return Constraint("json", json.dumps(made | {"additionalProperties": False}))


def proved(backend: str, constraint: Constraint) -> proof.Proof:
    return proof.prove(backend, constraint, constraint)


def test_a_raw_schema_is_told_with_place_and_keyword() -> None:
    pytest.importorskip("xgrammar")
    found = proved("xgrammar", schema_of(type="string", minLength=3))
    assert found.refused is None
    kinds = {(one.kind, one.place, one.keyword) for one in found.differences}
    assert ("narrower", "$.a", "minLength") in kinds
    assert any(kind == "wider" for kind, _, _ in kinds)


def test_the_copy_of_it_has_no_difference() -> None:
    pytest.importorskip("llguidance")
    plan = grammar.plan(None, schema_of(type="string", minLength=3))
    assert plan == GrammarPlan("guidance")


def test_choices_with_hard_characters_mean_the_same() -> None:
    pytest.importorskip("xgrammar")
    found = proved("xgrammar", Constraint("choice", json.dumps(["yes", 'a"b\\c', "😀é", "x\ny"])))
    assert found.refused is None
    assert found.differences == ()
    assert found.asked > 10


def test_a_check_without_end_is_bounded_and_told() -> None:
    pytest.importorskip("xgrammar")
    endless = Constraint("regex", "(a+)+b")
    found = proof.prove("xgrammar", endless, endless, limit=1)
    assert (found.refused, found.is_known, found.asked) == (None, True, 0)
    (line,) = grammar._notices(copy_for(endless, "xgrammar"), found)
    assert "was not compared with the check" in line


def test_a_backend_that_is_not_installed_refuses_nothing() -> None:
    assert proof._read([]) == proof.Proof(None, 0.0, is_known=False)
    assert proof._read([b"[null, 0.0, false]"]).refused is None
