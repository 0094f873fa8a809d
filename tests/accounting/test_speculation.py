"""The worth of speculative decoding in runs."""

from dataclasses import replace

import pytest

from llmbatch.accounting.speculation import SpeculationUse
from llmbatch.accounting.usage import Rates
from llmbatch.core.speculation import Speculation
from tests.accounting.test_usage import RUN

# 60 requests in each of 1,000 steps, 1,795 working seconds, two devices at 4 an hour each.
DRAFTED = replace(RUN, speculation=Speculation(10_000, (10_000, 8_000), (9_000, 3_000)))


def test_accepted_tokens_are_steps_and_money_that_were_saved() -> None:
    use = SpeculationUse.of([DRAFTED])
    assert use is not None
    assert (use.drafts, use.draft_tokens, use.accepted_tokens) == (10_000, 18_000, 12_000)
    assert use.acceptance == [0.9, 0.375]
    assert use.steps_saved == pytest.approx(12_000 / 60)
    assert use.most_seconds_saved == pytest.approx(200 * 1.795)
    assert use.most_money_saved == pytest.approx(200 * 1.795 / 3600 * 2 * 4)


def test_runs_add_up_and_only_those_paid_by_the_hour_have_money() -> None:
    by_token = replace(DRAFTED, price_per_million=Rates(1, 1, 1))
    use = SpeculationUse.of([DRAFTED, RUN, by_token])
    assert use is not None
    assert use.drafts == 20_000
    assert use.most_seconds_saved == pytest.approx(2 * 200 * 1.795)
    assert use.most_money_saved == pytest.approx(200 * 1.795 / 3600 * 2 * 4)
    free = SpeculationUse.of([replace(DRAFTED, price_per_hour=None)])
    assert free is not None
    assert free.most_money_saved is None


def test_nothing_is_said_of_runs_without_drafts() -> None:
    assert SpeculationUse.of([RUN]) is None
    idle = SpeculationUse.of([replace(DRAFTED, steps=0, sequences=0)])
    assert idle is not None
    assert idle.steps_saved == idle.most_seconds_saved == 0.0
