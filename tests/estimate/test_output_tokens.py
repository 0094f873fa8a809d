"""The intervals of a plan hold the tokens that come as often as they claim, over many draws.

Each trial draws the requests of an earlier run and those of the next one from the same population,
plays their tries as a run does (`tasks.retry`), and looks whether the totals are in the intervals.
No engine: what one draws differs from one processor to the next.
"""

import random
from collections.abc import Callable, Sequence

import pytest

from llmbatch.core import outcomes
from llmbatch.core.interval import Interval
from llmbatch.core.records import Sampling
from llmbatch.estimate import output_tokens
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.tasks import retry
from llmbatch.store.history import JobHistory, PastRun, RequestTokens
from tests.estimate.test_past_runs import run, spec

TRIALS = 500
POPULATION = 4_000
# Of intervals that hold 95 in 100; the heaviest tails are seldom in so small samples.
LEAST = 0.9

Draw = Callable[[random.Random, int], float]
"""The length of an answer, by a prompt's."""
SHAPES: dict[str, Draw] = {
    # As the bundled model answers, by the urgency of a ticket.
    "levels": lambda rng, prompt: rng.choice((8, 24, 60, 90)) + rng.randint(-3, 3),
    "broad": lambda rng, prompt: rng.lognormvariate(3.4, 0.5),
    "long tail": lambda rng, prompt: rng.lognormvariate(3.0, 0.8),
    "by the prompt": lambda rng, prompt: prompt * rng.gauss(0.8, 0.15),
    "a few long ones": lambda rng, prompt: 300 if rng.random() < 0.08 else rng.uniform(15, 25),
    "all alike": lambda rng, prompt: rng.randint(19, 21),
}


def population(shape: str, allowed: int, attempts: int, invalid: float) -> list[RequestTokens]:
    """The tokens of requests until they are settled: cut off answers get more tokens, and answers
    that are refused (a share `invalid`) are drawn again."""
    rng = random.Random(f"{shape} {allowed} {attempts} {invalid}")
    return [_request(rng, SHAPES[shape], allowed, attempts, invalid) for _ in range(POPULATION)]


def _request(
    rng: random.Random, draw: Draw, allowed: int, attempts: int, invalid: float
) -> RequestTokens:
    prompt = max(8, round(rng.lognormvariate(4, 0.4)))
    length, output, tries = draw(rng, prompt), 0, outcomes.NO_TRIES
    while True:
        most = retry.sampling_for(Sampling(max_tokens=allowed), tries).max_tokens
        made = max(1, min(round(length), most))
        output += made
        kind = "truncated" if length > most else "invalid_output"
        failed = kind == "truncated" or rng.random() < invalid
        tries = retry.after(tries, kind)
        if not failed or tries.attempts == attempts:
            return RequestTokens(prompt, output, tries.attempts)
        if kind == "invalid_output":
            length = draw(rng, prompt)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(
    ("allowed", "attempts", "invalid", "seen", "to_do", "last"),
    [
        (48, 2, 0.0, 90, 90, "finished"),  # many are cut off and tried again
        (48, 3, 0.1, 50, 200, "sample of 50 rows"),  # and some are refused
        (512, 2, 0.0, 50, 40, "sample of 50 rows"),  # hardly any
    ],
)
def test_what_comes_is_inside_as_often_as_it_is_told(
    shape: str, allowed: int, attempts: int, invalid: float, seen: int, to_do: int, last: str
) -> None:
    everyone = population(shape, allowed, attempts, invalid)
    rng, held = random.Random(11), [0, 0, 0]
    job = spec(sampling={"max_tokens": allowed}, run={"attempts": attempts})
    before = run(made=job, reason=last)
    for _ in range(TRIALS):
        known, coming = rng.choices(everyone, k=seen), rng.choices(everyone, k=to_do)
        told = _told(job, before, known, coming)
        for place, (interval, truth) in enumerate(told):
            held[place] += interval.low - 1e-9 <= truth <= interval.high + 1e-9
    assert min(held) >= LEAST * TRIALS, dict(
        zip(("output", "retries", "prompts"), held, strict=True)
    )


@pytest.mark.parametrize(("seen", "least"), [(1, 0.5), (2, 0.35), (4, 0.25), (400, 0.025)])
def test_a_few_answers_that_are_alike_promise_little(seen: int, least: float) -> None:
    """Two answers of the same length by chance do not make the length of all certain."""
    known = [RequestTokens(50, 3, 1)] * seen
    past = JobHistory({}, (), known, (run(reason="sample of 2 rows"),))
    total = output_tokens.expect(spec(), past, 1_000, 50_000.0).total
    assert total.expected == 3_000
    assert total.low <= 3_000 * (1 - least)
    assert total.high >= 3_000 * (1 + least)


def _told(
    job: JobSpec, before: PastRun, known: Sequence[RequestTokens], coming: Sequence[RequestTokens]
) -> list[tuple[Interval, float]]:
    """The estimates of output tokens, retries and prompts sent again, each with the truth."""
    past = JobHistory({}, (), known, (before,))
    prompts = sum(one.prompt for one in coming)
    found = output_tokens.expect(job, past, len(coming), prompts)
    again = output_tokens.prompts_again(past, len(coming), prompts)
    return [
        (found.total, sum(one.output for one in coming)),
        (found.retries, sum(one.tries - 1 for one in coming) / len(coming)),
        (again, sum(one.prompt * (one.tries - 1) for one in coming)),
    ]


@pytest.mark.parametrize("task", ["embed", "score"])
def test_a_task_without_text_makes_no_tokens(task: str) -> None:
    job = JobSpec.model_validate(
        {"input": "a.csv", "output": "b.jsonl", "model": "m", "prompt": "{{ t }}", "task": task}
    )
    spendings: list[list[RequestTokens]] = [[], [RequestTokens(9, 0, 1), RequestTokens(7, 0, 2)]]
    for spent in spendings:
        past = JobHistory({}, (), spent, ())
        told = output_tokens.expect(job, past, 100, 800.0)
        assert (told.total, told.each, told.source) == (Interval.exactly(0.0), 0.0, "none")
