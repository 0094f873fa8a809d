"""A retry is the same request, sent so that it has a chance."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.core import outcomes
from llmbatch.core.outcomes import Tries
from llmbatch.core.records import Sampling
from llmbatch.pipeline.tasks.retry import RETRY_TEMPERATURE, sampling_for

GREEDY = Sampling(max_tokens=100)
DRAWN = Sampling(max_tokens=100, temperature=0.5)
SEEDED = Sampling(max_tokens=100, temperature=0.5, seed=7)


def test_a_first_try_is_sent_as_the_job_says() -> None:
    for sampling in (GREEDY, DRAWN, SEEDED):
        assert sampling_for(sampling, outcomes.NO_TRIES) is sampling


@pytest.mark.parametrize("sampling", [GREEDY, DRAWN, SEEDED])
def test_each_truncated_answer_doubles_the_tokens_and_nothing_else(sampling: Sampling) -> None:
    for truncated in (1, 2, 5):
        sent = sampling_for(sampling, Tries(truncated, truncated, truncated=truncated))
        assert sent == replace(sampling, max_tokens=100 * 2**truncated)


@pytest.mark.parametrize(
    ("sampling", "temperature", "seeds"),
    [
        (GREEDY, RETRY_TEMPERATURE, [1, 2, 3]),
        (replace(GREEDY, seed=40), RETRY_TEMPERATURE, [41, 42, 43]),
        (DRAWN, 0.5, [None, None, None]),  # every try is another draw anyway
        (SEEDED, 0.5, [8, 9, 10]),
    ],
)
def test_each_invalid_answer_is_followed_by_another_draw(
    sampling: Sampling, temperature: float, seeds: list[int | None]
) -> None:
    sent = [sampling_for(sampling, Tries(n, n, invalid=n)) for n in (1, 2, 3)]
    wanted = [replace(sampling, temperature=temperature, seed=seed) for seed in seeds]
    assert sent == wanted


@pytest.mark.parametrize(
    ("sampling", "seeds"),
    [(GREEDY, [1, 2]), (DRAWN, [None, None]), (SEEDED, [8, 9])],
)
def test_each_loop_is_followed_by_another_draw_with_a_higher_penalty(
    sampling: Sampling, seeds: list[int | None]
) -> None:
    sent = [sampling_for(sampling, Tries(n, n, repeated=n)) for n in (1, 2)]
    assert [each.seed for each in sent] == seeds
    assert [each.repetition_penalty for each in sent] == pytest.approx([1.1, 1.2])
    assert {each.max_tokens for each in sent} == {100}
    assert sent[0].temperature == (sampling.temperature or RETRY_TEMPERATURE)
    high = replace(sampling, repetition_penalty=1.95)
    assert sampling_for(high, Tries(9, 9, repeated=9)).repetition_penalty == 2


def test_both_ways_go_together() -> None:
    sent = sampling_for(GREEDY, Tries(3, 3, truncated=2, invalid=1))
    assert (sent.max_tokens, sent.temperature, sent.seed) == (400, RETRY_TEMPERATURE, 1)


def test_other_failures_change_nothing() -> None:
    assert sampling_for(GREEDY, Tries(attempts=5, since_reopened=2)) is GREEDY


@given(
    max_tokens=st.integers(1, 2**31 - 1),
    seed=st.none() | st.integers(0, 2**63 - 1),
    temperature=st.sampled_from([0.0, 0.7, 2.0]),
    truncated=st.integers(0, 200),
    invalid=st.integers(0, 200),
)
def test_no_retry_is_out_of_the_range_of_an_engine(
    max_tokens: int, seed: int | None, temperature: float, truncated: int, invalid: int
) -> None:
    sampling = Sampling(max_tokens=max_tokens, seed=seed, temperature=temperature)
    failed = truncated + invalid
    sent = sampling_for(sampling, Tries(failed, failed, truncated, invalid))
    assert max_tokens <= sent.max_tokens < 2**31
    assert sent.seed is None or 0 <= sent.seed < 2**63
    assert (seed is None) or invalid == 0 or sent.seed != seed
