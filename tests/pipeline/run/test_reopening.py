"""Dead letters that have a chance with an engine that takes longer sequences."""

import re
from typing import Any

import pytest

from llmbatch.core.outcomes import CONTEXT, FAILURE_KINDS, FailureKind
from llmbatch.engines.config import EngineConfig
from llmbatch.job.fields import Affects
from llmbatch.job.sampling import SamplingSpec
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.run.reopening import SequenceLimit, expected_limit, runs_with_shorter
from llmbatch.store.runs import EngineRun
from tests import scripted_engine


def runs(**tokens: int | None) -> list[EngineRun]:
    """Runs 1, 2, ...; those whose name begins with `as_` had an option for it."""
    specs: dict[bool, dict[str, Any]] = {
        True: {"engine": {"name": "vllm", "max-model-len": 9}},
        False: {"engine": {"name": "vllm"}},
    }
    return [
        EngineRun(number, specs[name.startswith("as_")], length)
        for number, (name, length) in enumerate(tokens.items(), 1)
    ]


def test_runs_of_shorter_sequences_are_outgrown() -> None:
    had = runs(as_less=8, as_much=9, as_more=10, less=8, silent=None)
    assert runs_with_shorter(had, SequenceLimit(9, sure=True)) == [1, 4]


def test_what_a_model_could_take_counts_only_where_an_option_said_less() -> None:
    """An engine may take less than its model's configuration says, and would in vain again."""
    assert runs_with_shorter(runs(as_less=8, less=8), SequenceLimit(9, sure=False)) == [1]


def test_nothing_is_outgrown_by_an_unknown_limit() -> None:
    assert runs_with_shorter(runs(as_less=8, less=8), None) == []


@pytest.mark.parametrize(
    ("option", "limit"), [(9, SequenceLimit(9, sure=True)), (-1, None), (None, None)]
)
def test_an_option_says_which_sequences_will_be_taken(
    option: int | None, limit: SequenceLimit | None
) -> None:
    table = {"input": "i.csv", "output": "o.jsonl", "model": "m", "prompt": "p"}
    engine = {} if option is None else {CONTEXT: option}
    spec = JobSpec.model_validate(table | {"engine": engine})
    assert expected_limit(spec, scripted_engine.create(EngineConfig("m"))) == limit


@pytest.mark.parametrize("kind", FAILURE_KINDS.values(), ids=str)
def test_following_advice_makes_the_request_pending_again(kind: FailureKind) -> None:
    """A setting that it names is in a request's key, or dead letters are reopened when it grows."""
    for name in re.findall(r"[a-z]+(?:_[a-z]+)+", kind.advice):
        field = SamplingSpec.model_fields.get(name)
        extra = field.json_schema_extra if field else {}
        assert isinstance(extra, dict)
        assert extra.get("affects") == Affects.ANSWER or name == kind.engine_setting, name
