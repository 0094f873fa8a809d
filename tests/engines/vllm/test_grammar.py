"""The backend of an engine: chosen for a constraint, asked in a process of its own."""

from typing import Any

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.core.records import Constraint
from llmbatch.engines.vllm import grammar
from llmbatch.engines.vllm.proof import prove

NUMBERS = Constraint("json", '{"type":"number","minimum":0}')


def refusal_of(schema: str) -> str | None:
    constraint = Constraint("json", schema)
    return prove("guidance", constraint, constraint, 1).refused


@pytest.mark.parametrize(
    ("given", "made"),
    [
        (None, {"backend": "guidance", "disable_any_whitespace": True}),
        ({"disable_any_whitespace": False},
         {"backend": "guidance", "disable_any_whitespace": False}),
        ({"backend": "xgrammar"}, {"backend": "xgrammar", "disable_any_whitespace": True}),
    ],
)  # fmt: skip
def test_the_users_settings_win_over_ours(given: Any, made: dict[str, Any]) -> None:
    options = {} if given is None else {"structured_outputs_config": given}
    backend = grammar.users_backend(options) or "guidance"
    assert grammar.config(options, backend) == made


def test_a_backend_that_is_not_known_gets_no_setting_of_ours() -> None:
    options = {"structured_outputs_config": {"backend": "outlines"}}
    assert grammar.config(options, "outlines") == {"backend": "outlines"}
    plan = grammar.plan_for(options, NUMBERS)
    assert plan.backend == "outlines"
    assert "unknown" in plan.notices[0]


def test_without_a_constraint_nothing_is_asked() -> None:
    assert grammar.backend_for({}, None) == "xgrammar"


def test_a_process_that_ends_over_a_grammar_is_a_refusal() -> None:
    pytest.importorskip("llguidance")
    assert "the process ends" in str(refusal_of('{"const":-9223372036854775808}'))
    assert refusal_of('{"type":"integer"}') is None
    assert "Unimplemented" in str(refusal_of('{"contains":{}}'))


def test_a_schema_that_its_backend_refuses_is_told_with_what_to_do() -> None:
    pytest.importorskip("llguidance")
    options = {"structured_outputs_config": {"backend": "guidance"}}
    schema = Constraint("json", '{"type":"object","maxProperties":-1}')
    with pytest.raises(UsageError, match=r"vLLM refuses this job's schema: guidance: .*check"):
        grammar.plan_for(options, schema)
