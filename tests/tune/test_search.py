"""The search for the best settings: what is tried, what wins, what is left out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.engines.info import EngineInfo
from llmbatch.job.cost import CostSpec
from llmbatch.job.spec import JobSpec
from llmbatch.tune import gains, search
from llmbatch.tune.search import NO_TIME, TuneResult
from llmbatch.tune.trial import PartFigures, TrialFigures
from tests import scripted_clock

ENGINE = "tests.scripted_engine:create"
# Seconds for an answer, by the scripted clock.
SLOW, FAST, FASTEST = 0.03, 0.01, 0.001


class Bench:
    """A job of forty rows."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.told: list[str] = []
        texts = [f"text {n}" for n in range(39)] + ["a text of more words than the others"]
        (folder / "in.csv").write_text("text\n" + "".join(f"{text}\n" for text in texts))

    def tune(self, knobs: Mapping[str, list[Any]], budget: float = 60.0, rows: int = 12,
             **options: Any) -> TuneResult:  # fmt: skip
        folder = self._folder
        spec = JobSpec.model_validate(
            {
                "input": str(folder / "in.csv"),
                "output": str(folder / "o.jsonl"),
                "model": "m",
                "prompt": "Say {{ text }}",
                "engine": {"name": ENGINE, "ledger": str(folder / "ledger"), "clock": "scripted"}
                | options,
            }
        )
        return search.tune(spec, knobs, rows, budget, self.told.append, scripted_clock.seconds)

    def computed(self) -> int:
        ledger = self._folder / "ledger"
        return len(ledger.read_text().split()) if ledger.exists() else 0


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def changes(result: TuneResult) -> list[dict[str, Any]]:
    return [dict(one.changes) for one in result.settings]


def reasons(result: TuneResult) -> list[str]:
    return [one.reason for one in result.settings]


def test_options_are_tried_one_after_the_other_on_the_best_so_far(bench: Bench) -> None:
    result = bench.tune({"delay": [FAST, 0.06], "window": [4, 2]}, delay=SLOW)
    faster = {"delay": FAST}
    assert changes(result) == [{}, faster, {"delay": 0.06}, faster | {"window": 4},
                               faster | {"window": 2}, {}]  # fmt: skip
    assert result.best["delay"] == FAST
    assert result.winner is not None
    assert result.settings[-1].again
    assert (result.sampled, result.planned, bench.computed()) == (12, 40, 6 * 12)


def test_gains_are_over_the_present_settings(bench: Bench) -> None:
    result = bench.tune({"delay": [FAST, FASTEST]}, delay=SLOW)
    first, second = result.settings[1:3]
    assert len(first.gains) == 2
    assert 0.5 < min(first.gains) < max(first.gains) < min(second.gains)
    assert result.best == {"delay": FASTEST}


def test_what_the_engine_suggests(bench: Bench) -> None:
    result = bench.tune({}, delay=SLOW)
    assert changes(result)[1] == {"window": 16}
    assert result.best["delay"] == SLOW / 4


def test_drafts_are_tried_where_answers_copy_their_prompts(bench: Bench) -> None:
    result = bench.tune({}, delay=SLOW, answer="echo")
    assert result.best == {"delay": SLOW / 4, "drafted": 2}
    assert "no others can be tried" in bench.told
    assert result.winner is not None
    assert result.winner.measured is not None
    assert result.winner.measured.speculation.acceptance == [1.0, 1.0]
    # The whole job, of forty rows, at twelve times the speed.
    assert result.seconds_saved == pytest.approx(40 * SLOW * 11 / 12, rel=0.1)


def test_drafts_that_change_answers_are_refused(bench: Bench) -> None:
    result = bench.tune({}, delay=SLOW, answer="echo", draft_spoils=True)
    assert result.best == {"delay": SLOW / 4}
    assert "refused: 12 of 12 answers came out otherwise with its drafts" in reasons(result)


def test_drafts_are_not_tried_where_little_is_copied(bench: Bench) -> None:
    result = bench.tune({}, delay=SLOW)
    assert not [one for one in result.settings if "drafted" in one.changes]
    assert [line for line in bench.told if line.startswith("speculation is not tried: 0% of")]


def test_money_is_that_of_the_time_saved(bench: Bench) -> None:
    result = bench.tune({"delay": [FASTEST]}, delay=SLOW)
    assert result.money_saved is None
    result.cost = CostSpec(price_per_hour=3600, devices=2)
    assert result.money_saved == pytest.approx(2 * result.seconds_saved)
    assert result.seconds_saved > 0


def test_a_sample_that_is_too_small_is_told(bench: Bench) -> None:
    bench.tune({"delay": [FASTEST]}, delay=FAST, window=16)
    assert [line for line in bench.told if "--rows" in line] == [
        "the engine takes 16 requests at a time and each half of the sample has 4: "
        "--rows 72 would tell more"
    ]
    bench.told.clear()
    bench.tune({"delay": [FASTEST]}, delay=FAST, window=4)
    assert not [line for line in bench.told if "--rows" in line]


def test_a_slower_setting_is_not_taken(bench: Bench) -> None:
    result = bench.tune({"delay": [SLOW]}, delay=FAST)
    assert result.best == {}
    assert result.winner is result.settings[0]
    # There is nothing to confirm.
    assert changes(result) == [{}, {"delay": SLOW}]


def test_present_settings_are_not_tried_as_others(bench: Bench) -> None:
    result = bench.tune({"delay": [FAST], "window": [8], "max-model-len": [100_000]}, delay=FAST)
    assert changes(result) == [{}]


def test_failures_are_results(bench: Bench) -> None:
    knobs: dict[str, list[Any]] = {"start_error": ["no memory"], "die_after": [7]}
    knobs["delay"] = [FASTEST]
    result = bench.tune(knobs, delay=SLOW)
    assert reasons(result)[1:3] == ["no memory", "engine died: scripted after 7 answers"]
    assert result.best == {"delay": FASTEST}


def test_a_setting_with_which_more_requests_fail_is_a_failure(bench: Bench) -> None:
    result = bench.tune({"max_model_len": [5]}, rows=40, delay=FAST)
    assert result.best == {}
    assert reasons(result)[1] == (
        "1 requests fail that the present settings answer: "
        "prompt has 9 tokens, the context length is 5"
    )


def test_present_settings_that_fail_are_beaten_by_any_that_work(bench: Bench) -> None:
    result = bench.tune({"start_error": [""]}, start_error="no memory")
    assert reasons(result) == ["no memory", ""]
    assert result.best == {"start_error": ""}


def test_nothing_works(bench: Bench) -> None:
    result = bench.tune({"window": [4]}, start_error="no memory")
    assert (result.winner, result.best) == (None, {})
    assert reasons(result) == ["no memory", "no memory"]


def test_a_setting_that_takes_too_long_costs_its_share_only(bench: Bench) -> None:
    result = bench.tune({"delay": [2.0, FASTEST]}, delay=FAST)
    assert reasons(result)[1].startswith("did not finish in its share of the budget")
    assert result.best == {"delay": FASTEST}


def test_no_trial_begins_that_cannot_end_within_the_budget(bench: Bench) -> None:
    # Each takes a second and a half and a little, and a win must be confirmed.
    began = scripted_clock.seconds()
    knobs = {"delay": [FAST, FASTEST]}
    result = bench.tune(knobs, budget=6.0, rows=3, delay=SLOW, start_delay=1.5)
    assert scripted_clock.seconds() - began < 6
    assert changes(result) == [{}, {"delay": FAST}, {"delay": FASTEST}, {}]
    assert [one.reason == NO_TIME for one in result.settings] == [False, False, True, False]


def measured(start: float, rates: tuple[float, float]) -> TrialFigures:
    parts = tuple(PartFigures(100, 0, 1000, 1000 / rate) for rate in rates)
    return TrialFigures(start, PartFigures(10, 0, 100, 1.0), parts, 0, start + 10, EngineInfo())


def test_a_gain_counts_only_where_both_halves_have_it() -> None:
    before = measured(9, (100, 100))
    assert gains.is_faster(measured(9, (104, 130)), before)
    assert not gains.is_faster(measured(9, (102, 130)), before)
    assert not gains.is_faster(measured(9, (90, 110)), before)


def test_a_start_that_costs_a_short_job_more_than_it_gains() -> None:
    before, after = measured(9, (100, 100)), measured(29, (200, 200))
    # 10 and 20 requests a second: 1,000 requests take 100 and 50 seconds.
    assert not gains.starts_too_late(after, before, 1000)
    assert gains.starts_too_late(after, before, 300)
    # What starts of one setting differ by is no reason.
    assert not gains.starts_too_late(measured(10, (104, 104)), before, 10)


def test_a_value_that_could_change_answers_is_refused(bench: Bench) -> None:
    with pytest.raises(UsageError, match=r"--set variant=x: can change the answers"):
        bench.tune({"delay": [FAST, FASTEST], "variant": ["", "x"]}, delay=SLOW)
    assert bench.computed() == 0


def test_an_option_that_does_not_exist_is_refused(bench: Bench) -> None:
    with pytest.raises(UsageError, match="'dely': unknown"):
        bench.tune({"delay": [FAST], "dely": [FAST]}, delay=SLOW)
    assert bench.computed() == 0


def test_requests_that_the_engine_could_not_answer(bench: Bench) -> None:
    with pytest.raises(UsageError, match="refuses this job's requests"):
        bench.tune({"delay": [FAST]}, refuse=True)
