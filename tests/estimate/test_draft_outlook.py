"""The steps of answers where tokens are drafted ahead: as in earlier runs, or told as unknown."""

from llmbatch.core.interval import Interval
from llmbatch.estimate import draft_outlook, past_runs
from tests.estimate.test_past_runs import drafted, past, run, spec

ADVICE = "run some rows"
OTHER = spec(engine={"max_num_seqs": 4})


def test_runs_with_such_drafts_tell_how_many_are_right() -> None:
    seen = past_runs.from_history(past(drafted(1, 2)), spec(), 2)
    found = draft_outlook.look_ahead(2, seen, ADVICE)
    assert found.per_token == Interval.exactly(0.5)
    (note,) = found.notes
    assert "2.0 tokens of an answer in a step" in note
    assert "50 % of the drafted tokens were right" in note


def test_without_them_a_token_a_step_is_assumed_and_it_may_be_far_fewer_steps() -> None:
    for seen in (None, past_runs.from_history(past(run()), OTHER, 4)):
        found = draft_outlook.look_ahead(4, seen, ADVICE)
        assert found.per_token == Interval(1.0, 0.2, 1.0)
        note, advice = found.notes
        assert "not how many are right; a token a step is assumed, 5 at best" in note
        assert advice == ADVICE


def test_what_other_runs_drafted_is_not_expected_of_a_job_without_drafts() -> None:
    seen = past_runs.from_history(past(drafted(1, 2)), OTHER, 0)
    assert draft_outlook.look_ahead(0, seen, ADVICE).per_token == Interval.exactly(1.0)
    plain = past_runs.from_history(past(run()), spec(), 0)
    assert draft_outlook.look_ahead(0, plain, ADVICE).notes == ()
    assert draft_outlook.look_ahead(0, None, ADVICE).notes == ()
