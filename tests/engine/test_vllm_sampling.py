"""Sampling values are checked before vLLM sees them."""

import math
from typing import Any

import pytest

from llmbatch.core.records import Sampling
from llmbatch.engines.vllm_sampling import RefusedError, check_sampling

GOOD: list[dict[str, Any]] = [
    {},
    {"seed": 0},
    {"seed": 2**63 - 1},
    {"temperature": 2},
    {"top_k": -1},
    {"stop": ("x", "\n")},
]
BAD: list[tuple[str, Any]] = [
    ("seed", 2**63),
    ("seed", -1),
    ("seed", 1.5),
    ("seed", True),
    ("temperature", math.nan),
    ("temperature", -0.1),
    ("temperature", 2.1),
    ("temperature", "hot"),
    ("top_p", 0.0),
    ("top_p", 1.1),
    ("top_k", -2),
    ("top_k", 2**40),
    ("min_p", 2.0),
    ("max_tokens", 0),
    ("max_tokens", 2**64),
    ("repetition_penalty", 0.0),
    ("repetition_penalty", math.inf),
    ("presence_penalty", 3.0),
    ("frequency_penalty", math.nan),
    ("stop", ("",)),
]


@pytest.mark.parametrize("values", GOOD)
def test_good_values_pass(values: dict[str, Any]) -> None:
    check_sampling(Sampling(**values))


@pytest.mark.parametrize(("name", "value"), BAD)
def test_bad_values_are_named(name: str, value: Any) -> None:
    with pytest.raises(RefusedError, match=name):
        check_sampling(Sampling(**{name: value}))
