"""The grammars that backends make of the copies, against the check."""

import json

import pytest

from llmbatch.constraints import intake
from llmbatch.constraints.backends import EngineCopy, copy_for
from llmbatch.constraints.check import make_judge
from llmbatch.constraints.copies.backend import BACKENDS
from llmbatch.constraints.copies.format_patterns import FORMAT_PATTERNS
from llmbatch.core.records import Constraint
from tests.constraints.copies.table import CASES, TEXT, Case, obj, text_of
from tests.constraints.test_formats import TEXTS
from tests.engines.vllm.grammars import compiled
from tests.engines.vllm.session import needs_vllm

pytestmark = needs_vllm
# A leap second in another zone, and lengths of whole names.
NOT_HELD = {"00:59:60+01:00", "01:29:60+01:30", "15:59:60-08:00", ".".join(["a" * 60] * 5)}


def copy_of(case: Case, backend: str) -> EngineCopy:
    return copy_for(Constraint("json", intake.take(case.schema).text), backend)


def written(value: object, copy: EngineCopy) -> str:
    """An answer as the backend writes it: xgrammar has more digits in the numbers of an enum."""
    text = text_of(value)
    return (
        text.replace("0.1}", f"{0.1:.17g}}}").replace("0.7}", f"{0.7:.17g}}}") * (copy.misprints)
        or text
    )


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_the_schema_allows_can_be_written(case: Case, backend: str) -> None:
    copy = copy_of(case, backend)
    accepts = compiled(copy)
    assert [one for one in case.good if not accepts(written(one, copy))] == []


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_it_does_not_allow_cannot_unless_the_check_is_said_to_hold_it(
    case: Case, backend: str
) -> None:
    copy = copy_of(case, backend)
    accepts = compiled(copy)
    wider = [one for one in case.bad if accepts(text_of(one))]
    assert not wider or copy.check_only


@pytest.mark.parametrize("name", FORMAT_PATTERNS)
def test_a_format_is_held_as_it_is_checked(name: str) -> None:
    constraint = Constraint("json", json.dumps(obj(a=TEXT | {"format": name})))
    judge = make_judge(constraint)
    accepts = compiled(copy_for(constraint, "guidance"))
    both = [text for texts in TEXTS[name] for text in texts]
    texts = [text_of({"a": text}) for text in both if text not in NOT_HELD]
    differ = [text for text in texts if accepts(text) != (judge(text).reason is None)]
    assert differ == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_vllm_takes_the_copy(case: Case) -> None:
    from vllm.v1.structured_output.backend_xgrammar import has_xgrammar_unsupported_json_features

    schema = json.loads(copy_of(case, "xgrammar").constraint.value)
    assert not has_xgrammar_unsupported_json_features(schema)
