"""Several samples of a row: when they are refused, and how they are seeded."""

from typing import Any

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.core.messages import messages_text
from llmbatch.core.outcomes import NO_TRIES, Tries
from llmbatch.core.records import Message
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.tasks import registry, samples
from llmbatch.store.plans import PlannedRequest

JOB: dict[str, Any] = {"input": "i.csv", "output": "o.csv", "model": "m", "prompt": "p"}
BATCH = {"files": ["i.jsonl"], "format": "openai-batch"}
SEEDED = {"temperature": 0.8, "seed": 7, "samples": 3}


def spec(**changes: Any) -> JobSpec:
    return JobSpec.model_validate(JOB | changes)


def planned(text: str, sample: int, body: str | None = None) -> PlannedRequest:
    messages = messages_text([Message("user", text)])
    return PlannedRequest(0, f"{text}{sample}", 1, messages, body, sample)


def seeds(text: str, tries: Tries = NO_TRIES, **sampling: Any) -> list[int | None]:
    task = registry.make(spec(sampling=SEEDED | sampling))
    made = (samples.request_of(task, planned(text, sample), tries) for sample in range(50))
    return [request.sampling.seed for request in made]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sampling": {"samples": 3}}, "temperature 0 all 3 samples .* give --temperature 0.7"),
        ({"sampling": {"samples": 2, "temperature": 1, "top_k": 1}}, "top_k 1 all 2 samples"),
        ({"sampling": {"vote": True, "temperature": 1}}, "vote needs several samples"),
        ({"task": "embed", "sampling": SEEDED}, "task 'embed' gives one answer"),
        ({"input": BATCH, "sampling": SEEDED}, "samples: each row says how many answers"),
        ({"input": BATCH, "sampling": {"vote": True}}, "vote: each row says how many answers"),
    ],
)
def test_samples_that_cannot_differ_are_refused(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        samples.check(spec(**changes), registry.make(spec(**changes)))


def test_samples_that_can_differ_are_not() -> None:
    for job in (spec(), spec(sampling=SEEDED | {"vote": True})):
        samples.check(job, registry.make(job))


def test_the_first_sample_has_the_seed_of_the_job_and_no_two_have_one() -> None:
    found = seeds("x")
    assert found[0] == 7
    assert len(set(found)) == 50
    assert found == seeds("x")
    assert all(seed is not None and 0 <= seed < 2**63 for seed in found)


def test_rows_with_seeds_that_follow_each_other_share_no_sample() -> None:
    """vLLM gives sample i of a request the seed + i."""
    first, second, third = (set(seeds("x", seed=seed)) for seed in (7, 8, 9))
    assert not first & second
    assert not second & third
    assert set(seeds("x")) & set(seeds("y")) == {7}


def test_a_retry_moves_the_seed_of_its_sample_only() -> None:
    again = seeds("x", Tries(1, 1, invalid=1))
    assert not set(again) & set(seeds("x"))


def test_the_limit_for_an_answer_moves_no_seed() -> None:
    assert seeds("x", max_tokens=7) == seeds("x", max_tokens=8)


def test_what_a_row_asks_for_besides_moves_the_seed() -> None:
    task = registry.make(spec(sampling=SEEDED))
    one, other = (
        samples.request_of(task, planned("x", 1, body), NO_TRIES) for body in (None, '{"a":1}')
    )
    assert one.sampling.seed != other.sampling.seed


def test_without_a_seed_every_sample_is_another_draw() -> None:
    assert set(seeds("x", seed=None)) == {None}
