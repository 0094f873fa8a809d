"""Answers of engines that are no text, for each engine and kind of `core.records.Ask`.

A further engine or kind is a fixture in `conftest`, and its name in ASKED. vLLM's pooling engine is
asked in a process of its own (`tests/pooling/life.py`).
"""

from collections.abc import Callable

import pytest

from tests.contracts.ask_clauses import CLAUSES, Asked
from tests.contracts.conftest import ASKED


@pytest.fixture(params=[pytest.param(name, marks=marks) for name, marks in ASKED.items()])
def asked(request: pytest.FixtureRequest) -> Asked:
    made: Asked = request.getfixturevalue(request.param)
    return made


@pytest.mark.parametrize("clause", CLAUSES, ids=lambda clause: clause.__name__)
def test_an_engine_keeps_each_clause(asked: Asked, clause: Callable[[Asked], None]) -> None:
    clause(asked)
