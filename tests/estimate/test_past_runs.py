"""Earlier runs say something of the next one: those that count, and their sums."""

from collections.abc import Iterable
from dataclasses import asdict, replace
from typing import Any

import pytest

from llmbatch.core.interval import Interval
from llmbatch.core.speculation import Speculation
from llmbatch.core.step_cost import StepMoments
from llmbatch.estimate import output_tokens, past_runs
from llmbatch.job.spec import JobSpec
from llmbatch.store.history import NO_HISTORY, JobHistory, PastRun, RequestTokens

JOB = {"input": "i.csv", "output": "o.jsonl", "model": "m", "prompt": "{{ t }}"}


def spec(**changes: Any) -> JobSpec:
    return JobSpec.model_validate(JOB | changes)


def moments() -> StepMoments:
    """A step of n requests takes 10 ms, and a tenth of a millisecond for each."""
    sums = StepMoments()
    for number in range(100):
        batch = number % 8 + 1
        sums += StepMoments.of_step(0.01 + 0.0001 * batch, batch, 0)
    return sums


def run(number: int = 1, made: JobSpec | None = None, **changes: Any) -> PastRun:
    told = moments()
    telemetry = {
        "steps": told.steps, "sequences": told.s, "output_tokens": told.s,
        "prompt_tokens": 1_000, "cached_tokens": 200, "idle_seconds": 0.5,
        "moments": asdict(told),
    }  # fmt: skip
    timings = {
        "prepare": 1.0, "engine_start": 20.0, "generate": told.t + 0.8, "engine_stop": 1.0,
        "export": 0.5,
    }  # fmt: skip
    kept = (made or spec()).model_dump(mode="json", by_alias=True)
    usual: dict[str, Any] = {
        "reason": "finished", "seconds": 25.0, "timings": timings, "telemetry": telemetry,
        "starts": 1, "attempts": 50,
    }  # fmt: skip
    return PastRun(number, kept, **(usual | changes))


def past(*runs: PastRun, lengths: Iterable[tuple[int, int]] = ()) -> JobHistory:
    """`lengths`: prompt and output tokens of requests that took one try each."""
    return JobHistory({}, (), [RequestTokens(*each) for each in lengths], runs)


def test_nothing_is_known_without_runs() -> None:
    assert past_runs.from_history(NO_HISTORY, spec()) is None
    assert past_runs.from_history(past(run(attempts=0)), spec()) is None


def test_a_run_tells_its_parts() -> None:
    found = past_runs.from_history(past(run()), spec())
    assert found is not None
    assert found.cost is not None
    assert found.cost.per_step == pytest.approx(0.01, rel=0.01)
    assert found.start == Interval(20.0, 10.0, 30.0)
    assert found.seconds == pytest.approx(moments().t + 0.3)  # without idleness
    assert found.computed == 800
    assert found.rest.expected == pytest.approx(0.3, abs=0.01)
    assert found.sequences_per_token == 1
    assert found.other is not None
    assert found.other.expected == pytest.approx(25 - 22.5 - moments().t - 0.8)


@pytest.mark.parametrize("other", [{"model": "another"}, {"engine": {"name": "module:factory"}}])
def test_runs_of_another_model_or_engine_tell_nothing(other: dict[str, Any]) -> None:
    assert past_runs.from_history(past(run(made=spec(**other))), spec()) is None


def test_more_starts_tell_more() -> None:
    found = past_runs.from_history(past(run(1), run(2), run(3)), spec())
    assert found is not None
    assert found.start == Interval(20.0, 15.0, 25.0)


def test_runs_with_the_present_settings_tell_more_than_others() -> None:
    other = run(1, spec(engine={"max_num_seqs": 4}))
    found = past_runs.from_history(past(other, run(2)), spec())
    assert found is not None
    assert [each.run for each in found.runs] == [2]
    assert found.same_settings
    found = past_runs.from_history(past(other), spec())
    assert found is not None
    assert not found.same_settings


def test_a_sample_tells_until_there_is_more() -> None:
    sample = run(1, reason="sample of 50 rows")
    found = past_runs.from_history(past(sample), spec())
    assert found is not None
    assert found.samples_only
    found = past_runs.from_history(past(sample, run(2, attempts=500)), spec())
    assert found is not None
    assert [each.run for each in found.runs] == [2]
    assert not found.samples_only
    found = past_runs.from_history(past(sample, run(2, attempts=5)), spec())
    assert found is not None
    assert len(found.runs) == 2


def test_a_killed_run_tells_of_its_steps_only() -> None:
    killed = run(reason=None, seconds=None, timings={})
    found = past_runs.from_history(past(killed), spec())
    assert found is not None
    assert found.cost is not None
    assert found.start is None
    assert found.seconds == pytest.approx(moments().t)
    assert found.output == moments().s


def drafted(number: int, tokens: int, made: JobSpec | None = None, **changes: Any) -> PastRun:
    """A run that drafted so many tokens a step, half of which were right."""
    telemetry = dict(run().telemetry)
    steps = telemetry["moments"]["s"]
    drafts = Speculation(steps, (steps,) * tokens, (steps / 2,) * tokens)
    telemetry["speculation"] = asdict(drafts)
    telemetry["output_tokens"] = steps + drafts.accepted_tokens
    return run(number, made, telemetry=telemetry, **changes)


def test_runs_that_drafted_as_many_tokens_tell_more_than_others() -> None:
    four = spec(engine={"speculative_config": {"num_speculative_tokens": 4}})
    none, two = run(1), drafted(2, 2, spec(engine={"dtype": "half"}))
    found = past_runs.from_history(past(none, two), four, 2)
    assert found is not None
    assert [each.run for each in found.runs] == [2]
    assert (found.same_settings, found.drafted_alike) == (False, True)
    assert found.sequences_per_token == pytest.approx(1 / 2)
    assert found.sequences_per_token_without_drafts == pytest.approx(1)
    for past_run, tokens in ((none, 4), (two, 4), (two, 0)):
        found = past_runs.from_history(past(past_run), four, tokens)
        assert found is not None
        assert not found.drafted_alike
    # With the very settings nothing was drafted: it will not be now.
    found = past_runs.from_history(past(run(made=four)), four, 4)
    assert found is not None
    assert found.drafted_alike


def test_a_killed_run_that_drafted_made_more_tokens_than_its_steps_show() -> None:
    killed = drafted(1, 2, reason=None, seconds=None, timings={})
    found = past_runs.from_history(past(killed), spec(), 2)
    assert found is not None
    assert found.output == 2 * moments().s


def test_older_runs_have_no_moments() -> None:
    telemetry = {"steps": 40, "sequences": 200, "output_tokens": 200, "prompt_tokens": 100}
    found = past_runs.from_history(past(run(telemetry=telemetry)), spec())
    assert found is not None
    assert found.cost is None
    assert (found.steps.steps, found.steps.sequences) == (40, 200)


def test_output_is_expected_as_it_was() -> None:
    seen = past(run(), lengths=tuple((10, 19 + number % 3) for number in range(90)))
    found = output_tokens.expect(spec(), seen, 1_000, 10_000)
    assert (found.source, found.known, found.each) == ("history", 90, 20.0)
    assert found.total.expected == 20_000
    assert found.total.low < 18_500
    assert found.total.high < 24_000


def test_output_follows_the_prompts() -> None:
    seen = past(run(), lengths=tuple((10 + n, 2 * (10 + n)) for n in range(100)))
    found = output_tokens.expect(spec(), seen, 100, 100 * 200)
    assert found.total.expected == pytest.approx(100 * 400, rel=0.01)


def test_no_request_takes_more_than_is_allowed() -> None:
    """An answer that is cut off is tried again with twice the tokens."""
    seen = past(run(), lengths=((10, 29), (10, 30), (20, 60)))
    for attempts, most in ((1, 30), (2, 90), (3, 210)):
        short = spec(sampling={"max_tokens": 30}, run={"attempts": attempts})
        assert output_tokens.expect(short, seen, 100, 4_000).total.high <= 100 * most


def test_a_request_is_told_with_all_its_tries() -> None:
    seen = [RequestTokens(10, 20)] * 80 + [RequestTokens(30, 10 + 30, tries=2)] * 20
    found = output_tokens.expect(spec(), JobHistory({}, (), seen, (run(),)), 1_000, 14_000)
    assert found.retries.expected == pytest.approx(0.2)
    assert found.retries.low < 0.2 < found.retries.high
    assert (found.known, found.total.expected) == (100, 1_000 * (0.8 * 20 + 0.2 * 40))
    assert found.each == 20  # of a try
    # Not the mean prompts are sent again, but these.
    again = output_tokens.prompts_again(JobHistory({}, (), seen, (run(),)), 1_000, 14_000)
    assert again.expected == pytest.approx(200 * 30)
    assert sorted(output_tokens.lengths(spec(), JobHistory({}, (), seen, ()))) == [20.0] * 120


def test_where_no_retry_was_seen_some_may_come() -> None:
    seen = past(run(), lengths=((10, 20),) * 50)
    found = output_tokens.expect(spec(), seen, 100, 1_000)
    assert (found.retries.expected, found.retries.low) == (0, 0)
    assert 0.05 < found.retries.high < 0.1
    again = output_tokens.prompts_again(seen, 100, 1_000)
    assert (again.expected, again.low) == (0, 0)
    assert 50 < again.high < 100


def test_nothing_is_retried_where_nothing_is_known() -> None:
    assert output_tokens.expect(spec(), NO_HISTORY, 10, 100).retries == Interval.exactly(0)
    assert output_tokens.prompts_again(NO_HISTORY, 10, 100) == Interval.exactly(0)


def test_a_run_that_was_stopped_may_have_left_the_long_answers() -> None:
    """As many as ran at once, each as long as is allowed; the others are like those before."""
    few = tuple((10, 19 + number % 3) for number in range(90))
    engine = {"max_num_seqs": 4, "window": 8}
    stopped = run(reason="budget of 1.0 USD reached")

    def expected(*runs: PastRun, settled: int = 90) -> output_tokens.OutputTokens:
        seen = replace(past(*runs, lengths=few), engine=engine, settled_requests=settled)
        return output_tokens.expect(spec(), seen, 1_000, 10_000)

    usual, wide = expected(run()), expected(stopped)
    assert (usual.left_long, wide.left_long) == (0, 4)
    assert (wide.total.expected, wide.total.low) == (usual.total.expected, usual.total.low)
    assert wide.total.high == usual.total.high + 4 * spec().sampling.max_tokens
    # A killed run had no reason. One that was of other rows, or finished since, left nothing.
    assert expected(run(reason=None)).left_long == 4
    assert expected(stopped, settled=0).left_long == 0
    assert expected(stopped, run(2)).left_long == 0
    # A sample is a random part; but what the run before it has left is left still.
    sample = run(2, reason="sample of 50 rows")
    assert expected(stopped, sample).left_long == 4
    assert expected(sample).left_long == 0
