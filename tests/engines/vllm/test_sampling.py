"""Sampling values are checked before vLLM sees them; nothing here is sent to it."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from llmbatch.core.records import Sampling
from llmbatch.engines.vllm.sampling import (
    ABOVE_ZERO,
    FLOATS,
    INTS,
    Parameters,
    RefusedError,
    check_sampling,
    takes_seeds,
)

GOOD: list[dict[str, Any]] = [
    {},
    {"seed": 0},
    {"temperature": 2},
    {"top_k": -1},
    {"stop": ("x", "\n")},
]
BAD: list[tuple[str, Any]] = [
    ("seed", -1),
    ("seed", 1.5),
    ("seed", True),
    ("temperature", -0.1),
    ("temperature", 2.1),
    ("temperature", "hot"),
    ("top_p", 0.0),
    ("top_p", 1.1),
    ("top_k", -2),
    ("min_p", 2.0),
    ("max_tokens", 0),
    ("repetition_penalty", 0.0),
    ("presence_penalty", 3.0),
    ("frequency_penalty", -2.5),
    ("stop", ("",)),
]


def sampling(name: str, value: Any) -> Sampling:
    return Sampling(**{name: value})


@pytest.mark.parametrize("values", GOOD)
def test_good_values_pass(values: dict[str, Any]) -> None:
    check_sampling(Sampling(**values))


@pytest.mark.parametrize(("name", "value"), BAD)
def test_bad_values_are_named(name: str, value: Any) -> None:
    with pytest.raises(RefusedError, match=name):
        check_sampling(sampling(name, value))


@pytest.mark.parametrize("name", INTS)
def test_the_ends_of_a_range_pass_and_the_next_do_not(name: str) -> None:
    first, last = INTS[name]
    for inside in (first, last):
        check_sampling(sampling(name, inside))
    for outside in (first - 1, last + 1):
        with pytest.raises(RefusedError, match=name):
            check_sampling(sampling(name, outside))


@pytest.mark.parametrize("name", FLOATS)
@given(value=some.floats())
def test_only_numbers_in_the_range_pass(name: str, value: float) -> None:
    low, high = FLOATS[name]
    try:
        check_sampling(sampling(name, value))
    except RefusedError as error:
        assert name in str(error)
    else:
        assert math.isfinite(value)
        assert low <= value <= high
        assert value > 0 or name not in ABOVE_ZERO


@pytest.mark.parametrize(
    ("device", "chunked", "taken"),
    [("cpu", True, False), ("cpu", False, True), ("cuda", True, True), ("cuda", False, True)],
)
def test_seeds_are_taken_where_vllm_takes_them(device: str, chunked: bool, taken: bool) -> None:
    assert takes_seeds(device, chunked_prefill=chunked) is taken


def test_a_seed_that_is_not_taken_is_refused_with_what_to_set() -> None:
    parameters = Parameters(seeds_allowed=False, detokenize=False)
    with pytest.raises(RefusedError, match="enable_chunked_prefill=false"):
        parameters.make(Sampling(seed=1), None)
