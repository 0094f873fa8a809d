"""Dead letters that have a chance with an engine that takes longer sequences."""

import re
from typing import Any

import pytest

from llmbatch.core.outcomes import CONTEXT, FAILURE_KINDS, FailureKind
from llmbatch.engines.base import EngineConfig
from llmbatch.job.fields import Affects
from llmbatch.job.sampling import SamplingSpec
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.run.reopening import Room, expected_room, runs_with_less
from llmbatch.store.runs import RunContext
from tests import scripted_engine


def runs(**tokens: int | None) -> list[RunContext]:
    """Runs 1, 2, ...; those whose name begins with `as_` had an option for it."""
    specs: dict[bool, dict[str, Any]] = {
        True: {"engine": {"name": "vllm", "max-model-len": 9}},
        False: {"engine": {"name": "vllm"}},
    }
    return [
        RunContext(number, specs[name.startswith("as_")], length)
        for number, (name, length) in enumerate(tokens.items(), 1)
    ]


def test_runs_with_less_room_are_outgrown() -> None:
    had = runs(as_less=8, as_much=9, as_more=10, less=8, silent=None)
    assert runs_with_less(had, Room(9, sure=True)) == [1, 4]


def test_what_a_model_could_take_counts_only_where_an_option_said_less() -> None:
    """An engine may take less than its model's configuration says, and would in vain again."""
    assert runs_with_less(runs(as_less=8, less=8), Room(9, sure=False)) == [1]


def test_nothing_is_outgrown_by_what_nobody_knows() -> None:
    assert runs_with_less(runs(as_less=8, less=8), None) == []


@pytest.mark.parametrize(("option", "room"), [(9, Room(9, sure=True)), (-1, None), (None, None)])
def test_an_option_says_how_much_room_there_will_be(option: int | None, room: Room | None) -> None:
    table = {"input": "i.csv", "output": "o.jsonl", "model": "m", "prompt": "p"}
    engine = {} if option is None else {CONTEXT: option}
    spec = JobSpec.model_validate(table | {"engine": engine})
    assert expected_room(spec, scripted_engine.create(EngineConfig("m"))) == room


@pytest.mark.parametrize("kind", FAILURE_KINDS.values(), ids=str)
def test_what_an_advice_names_reopens_what_it_would_mend(kind: FailureKind) -> None:
    """It is part of a request's key, or it is what dead letters are reopened by."""
    for name in re.findall(r"[a-z]+(?:_[a-z]+)+", kind.advice):
        field = SamplingSpec.model_fields.get(name)
        extra = field.json_schema_extra if field else {}
        assert isinstance(extra, dict)
        assert extra.get("affects") == Affects.ANSWER or name == kind.mended_by, name
