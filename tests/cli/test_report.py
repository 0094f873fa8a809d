"""The report of runs that had trouble: dead engines, retries, tokens for nothing."""

import json
import re
import signal
from datetime import timedelta
from pathlib import Path

import pytest

from llmbatch.core import clock
from llmbatch.reports import json as as_json
from llmbatch.reports.report import Report
from llmbatch.reports.text import job
from llmbatch.store import run_records, runs
from llmbatch.store.opening import open_store
from tests.cli.command import Job, llmbatch, wait_for
from tests.cli.reported import read, work


def told(report: Report, label: str) -> str:
    """The line of the text with this label, and those below it that belong to it."""
    lines = job.render(report).splitlines()
    places = [place for place, line in enumerate(lines) if line.startswith(f"  {label} ")]
    if not places:
        return ""
    rest = lines[places[-1] + 1 :]
    below = next((n for n, line in enumerate(rest) if not line.startswith(" " * 14)), len(rest))
    return "\n".join(line.strip() for line in lines[places[-1] : places[-1] + 1 + below])


def test_a_quiet_run_tells_of_no_trouble(tmp_path: Path) -> None:
    report = work(tmp_path, ["a", "b", "b"])
    usage = report.all_runs
    assert (usage.engine_restarts, usage.engine_deaths, usage.in_flight_at_deaths) == (0, 0, 0)
    assert (usage.retries, usage.failed_attempts) == (0, 0)
    assert (usage.wasted_prompt_tokens, usage.wasted_output_tokens) == (0, 0)
    assert report.runs[0].deaths == []
    for label in ("restarts", "retries", "wasted", "attempts"):
        assert told(report, label) == ""


def test_engine_deaths_are_told_with_their_reason_and_what_was_in_flight(tmp_path: Path) -> None:
    engine = {"die_after": 5, "die_times": 2, "window": 4}
    report = work(tmp_path, [f"row {n}" for n in range(30)], engine=engine)
    (only,) = report.runs
    assert only.engine_restarts == only.engine_deaths == 2
    assert [death.in_flight for death in only.deaths] == [4, 4]
    assert report.all_runs.in_flight_at_deaths == 8
    assert {death.reason for death in only.deaths} == {"engine died: scripted after 5 answers"}
    assert only.started_at < only.deaths[0].died_at < only.deaths[1].died_at < only.ended_at
    assert told(report, "restarts") == (
        "restarts    2; the engine died 2 times, with 8 requests in flight\n"
        "2 x engine died: scripted after 5 answers"
    )
    assert report.counts.answered == 30


def test_every_start_of_an_engine_counts_as_starting(tmp_path: Path) -> None:
    engine = {"die_after": 5, "die_times": 2, "start_delay": 0.2, "delay": 0.01}
    report = work(tmp_path, [f"row {n}" for n in range(20)], engine=engine)
    (only,) = report.runs
    assert only.engine_start_seconds >= 0.6
    assert only.generate_seconds >= 0.2
    phases = only.engine_start_seconds + only.generate_seconds + only.engine_stop_seconds
    assert phases + only.export_seconds <= only.seconds


def test_a_poison_row_and_its_innocent_company(tmp_path: Path) -> None:
    rows = [f"row {n}" for n in range(7)] + ["KILL"]
    report = work(tmp_path, rows)
    (only,) = report.runs
    assert report.failures[0].kind == "engine_crash"
    assert only.engine_deaths >= 3
    assert only.engine_restarts == only.engine_deaths
    first, *reasons = told(report, "restarts").splitlines()
    assert f"the engine died {only.engine_deaths} times" in first
    assert reasons[0].startswith(f"{only.engine_deaths} x engine died: poison request ")
    # What the engine never answered has cost tokens that nobody can count.
    assert (only.wasted_prompt_tokens, only.failed_attempts) == (0, 1)


def test_more_reasons_than_fit_are_counted(tmp_path: Path) -> None:
    work(tmp_path, ["a"])
    store = tmp_path / "out.llmbatch/job.duckdb"
    with open_store(store) as db:
        for number in (1, 2, 3, 4, 5, 5):
            runs.engine_died(db, 1, clock.moment(), f"reason {number}", 1)
    first, *reasons = told(read(store), "restarts").splitlines()
    assert first.endswith("the engine died 6 times, with 6 requests in flight")
    assert reasons[0] == "2 x reason 5"
    assert reasons[3:] == ["and 2 other reasons (see --format json)"]


def test_retries_and_the_tokens_of_failed_attempts(tmp_path: Path) -> None:
    """LENGTH:6 is cut at 4 tokens and whole at 8; LENGTH is cut at any limit."""
    rows = ["a b", "a b", "LENGTH:6 b", "LENGTH b c", "FAIL:too_long"]
    report = work(tmp_path, rows, sampling={"max_tokens": 4}, run={"attempts": 3})
    usage = report.last_run
    # Attempts: one answered; one cut off, then answered; three cut off; one refused.
    assert (usage.requests, usage.retries, usage.failed_attempts) == (7, 3, 5)
    assert usage.wasted_prompt_tokens == 2 + 3 * 3
    assert usage.wasted_output_tokens == 4 + 3 * 2
    assert usage.prompt_tokens == usage.wasted_prompt_tokens + 2 + 2
    assert usage.output_tokens == usage.wasted_output_tokens + 2 + 6
    assert told(report, "retries") == "retries     3 further attempts at requests that had failed"
    assert told(report, "wasted") == (
        "wasted      11 prompt and 10 output tokens (63.6%) in 5 failed attempts"
    )


def test_rows_by_the_number_of_their_attempts(tmp_path: Path) -> None:
    rows = ["a", "a", "LENGTH:6 b", "LENGTH c", "FAIL:too_long", "{{"]
    prompt = "{{ t }}{{ '' if t != '{{' else t.nothing }}"
    report = work(tmp_path, rows, prompt=prompt, sampling={"max_tokens": 4}, run={"attempts": 3})
    lines = [(line.attempts, line.answered, line.failed) for line in report.rows_by_attempts]
    assert lines == [(0, 0, 1), (1, 2, 1), (2, 1, 0), (3, 0, 1)]
    assert told(report, "attempts") == "attempts    rows settled: 3 after 1, 1 after 2, 1 after 3"


def test_troubles_are_summed_over_runs_and_the_last_run_has_its_own(tmp_path: Path) -> None:
    rows = [f"row {n}" for n in range(12)]
    work(tmp_path, rows, engine={"die_after": 5, "die_times": 1})
    report = work(tmp_path, [*rows, "LENGTH x"], run={"attempts": 2})
    assert (report.all_runs.engine_deaths, report.last_run.engine_deaths) == (1, 0)
    assert (report.all_runs.engine_restarts, report.last_run.engine_restarts) == (1, 0)
    assert (report.all_runs.retries, report.last_run.retries) == (1, 1)
    shown = job.render(report)
    last, every = shown.split("all runs\n")
    assert "restarts" not in last
    assert "  restarts    1; the engine died 1 time, with 7 requests" in every
    assert "1 x engine died" in every
    assert "retries" in last
    assert "retries" in every


def test_the_json_has_every_figure(tmp_path: Path) -> None:
    rows = [*(f"row {n}" for n in range(8)), "LENGTH x"]
    report = work(tmp_path, rows, engine={"die_after": 5, "die_times": 1})
    found = json.loads(as_json.render(report))
    (only,) = found["runs"]
    (death,) = only["deaths"]
    assert death["reason"] == "engine died: scripted after 5 answers"
    assert death["died_at"].endswith("Z")
    assert death["in_flight"] == 4
    sums = {"engine_restarts": 1, "engine_deaths": 1, "in_flight_at_deaths": 4, "retries": 1}
    for usage in (found["last_run"], found["all_runs"], only):
        assert {name: usage[name] for name in sums} == sums
        assert usage["wasted_prompt_tokens"] == 4
    assert found["rows_by_attempts"] == [
        {"attempts": 1, "answered": 8, "failed": 0},
        {"attempts": 2, "answered": 0, "failed": 1},
    ]


def test_a_killed_run_with_several_engines(job: Job) -> None:
    job.write("in.csv", "id,text\n" + "".join(f"{n},text {n}\n" for n in range(20)))
    engine = f"die_after=4 die_times=1 counter={job.folder / 'counter'} kill_after=8"
    often = ("-q", "--checkpoint-rows", "1")
    slow = " start_delay=0.3 delay=0.05"
    assert job.run(*often, engine=engine + slow).code == -signal.SIGKILL
    (only,) = read(job.state / "job.duckdb").runs
    assert (only.reason, only.engine_restarts, only.engine_deaths) == ("killed", 1, 1)
    assert only.engine_start_seconds >= 0.6
    assert only.generate_seconds >= 0.3
    named = only.prepare_seconds + only.engine_start_seconds + only.generate_seconds
    assert only.seconds - 1.0 < named <= only.seconds


def test_a_killed_run_lived_until_its_last_engine_was_ready(job: Job) -> None:
    """Its second engine hangs, so that the last checkpoint is older than that engine."""
    job.write("in.csv", "id,text\n1,a\n2,b\n3,~ STALL\n")
    events = job.folder / "events"
    engine = f"die_after=2 die_times=1 counter={job.folder / 'counter'} start_delay=0.4"
    with job.start("-q", "--log-json", str(events), engine=engine):
        wait_for(lambda: events.exists() and "engine_restarted" in events.read_text())
    (only,) = read(job.state / "job.duckdb").runs
    assert (only.reason, only.engine_deaths, only.checkpoints) == ("killed", 1, 1)
    assert only.engine_start_seconds >= 0.8
    assert only.ended_at > only.deaths[0].died_at + timedelta(seconds=0.4)
    named = only.prepare_seconds + only.engine_start_seconds + only.generate_seconds
    assert named <= only.seconds


@pytest.mark.parametrize("style", ["text", "json"])
def test_the_status_of_an_ended_job_has_no_time_left(job: Job, style: str) -> None:
    job.write("in.csv", "id,text\n" + "".join(f"{n},text {n}\n" for n in range(20)))
    stopped = job.run("--max-rows", "5", engine="delay=0.02")
    assert stopped.code == 4
    assert " left\n" not in stopped.stderr
    seen = llmbatch(job.folder, "status", "out.jsonl", "--format", style).stdout
    assert "ended" in seen
    assert "5/20 rows (25%)" in seen or '"rows_done": 5' in seen
    assert " left" not in seen
    assert "eta_seconds" not in seen


def test_the_start_of_an_engine_has_one_duration(tmp_path: Path) -> None:
    """That of its check, which may import it, and of the start itself."""
    report = work(tmp_path, ["a"], engine={"check_delay": 0.2, "start_delay": 0.1})
    with open_store(tmp_path / "out.llmbatch/job.duckdb", read_only=True) as db:
        (start,) = run_records.starts(db)
    assert start.seconds == pytest.approx(report.last_run.engine_start_seconds, abs=1e-6)
    assert start.seconds >= 0.3


def test_duplicates_are_counted_and_priced(tmp_path: Path) -> None:
    report = work(tmp_path, ["one two three", "b", "b", "b"], cost={"price_per_hour": 3600.0})
    saved = report.duplicates
    # An answer of the scripted engine has two words, and a word is a token.
    assert (saved.rows, saved.prompt_tokens, saved.output_tokens) == (2, 2, 4)
    usage = report.all_runs
    assert (usage.prompt_tokens, usage.output_tokens) == (4, 4)
    assert usage.cost is not None
    assert saved.cost is not None
    # At what the generation of a token cost, without the start of the engine.
    costs = {phase.name: phase.cost or 0.0 for phase in report.all_costs.phases}
    assert 0 < saved.cost < usage.cost
    assert saved.cost == pytest.approx((costs["prefill"] + costs["decode"]) / 8 * 6)
    assert saved.answered == 2
    assert "; 2 duplicates of another row, 2 of them answered; " in told(report, "requests")
    assert " by duplicates; without that USD " in told(report, "saved")


def test_failed_duplicates_save_nothing(tmp_path: Path) -> None:
    report = work(tmp_path, ["FAIL:refused_request x"] * 3)
    saved = report.duplicates
    assert (saved.rows, saved.answered, saved.output_tokens) == (2, 0, 0)
    assert "; 2 duplicates of another row, 0 of them answered; " in told(report, "requests")


def test_cache_hits_stand_beside_their_forecast(tmp_path: Path) -> None:
    rows = [f"all of these words are the same {number}" for number in range(8)]
    report = work(tmp_path, rows, engine={"block_size": 2, "kv_cache_blocks": 50})
    forecast = report.runs[0].forecast
    assert forecast is not None
    # Six of eight words stand in whole blocks that seven of the eight rows find.
    assert forecast["cached_tokens"] == 42
    assert told(report, "forecast") == (
        "forecast    66 % of the prompt tokens from the prefix cache, for the first tries of "
        "8 requests"
    )
    assert json.loads(as_json.render(report))["runs"][0]["forecast"]["hits"] == 0.6562


def test_steps_say_whether_the_engine_waited(tmp_path: Path) -> None:
    report = work(tmp_path, ["a", "b LENGTH:5"], engine={"slots": 2})
    assert report.last_run.steps == 5
    assert "5 steps" in told(report, "time")


def test_money_is_told_part_by_part(tmp_path: Path) -> None:
    rows = ["one two three four", "b", "b", "b", "LENGTH:9 x"]
    engine = {"slots": 2, "step_delay": 0.002, "cached_words": 1}
    # None of the parts is so small that it is told among the others.
    engine |= {"prefill_delay": 0.005, "start_delay": 0.05}
    cost = {"price_per_hour": 3600.0, "listed_price": {"input": 1.5, "output": 6, "name": "x"}}
    report = work(tmp_path, rows, engine=engine, cost=cost, sampling={"max_tokens": 8})
    lines = told(report, "cost").splitlines()
    assert len(lines) == 3
    assert " device-hours = USD " in lines[0]
    assert lines[1].startswith("of which reading and planning ")
    for name in ("engine start", "prefill", "decode", "other"):
        assert f", {name} 0." in lines[1]
    assert "; in failed attempts 0." in lines[1]
    assert re.match(r"per million tokens: input [\d,.]+, computed input [\d,.]+, output", lines[2])
    saved = r"saved       USD [\d.]+ by prefix cache, USD [\d.]+ by duplicates; without that USD "
    assert re.match(saved, told(report, "saved"))
    listed = (
        r"listed      USD 0.000\d+ for the same tokens at x, 1.5/6 a million: [\d.]+ % of this cost"
    )
    assert re.fullmatch(listed, told(report, "listed"))


def test_reuse_costs_what_the_run_that_answered_took(tmp_path: Path) -> None:
    """Not what the last one did, in which each token took far longer."""
    rows = [f"row {number}" for number in range(200)]
    cost = {"price_per_hour": 3600.0}
    first = work(tmp_path, rows, cost=cost, engine={"slots": 50, "step_delay": 0.01})
    rows.append("one more")
    found = work(tmp_path, rows, cost=cost, engine={"slots": 50, "step_delay": 0.4})
    reuse = found.costs.savings[-1]
    assert (reuse.by, reuse.output_tokens) == ("reuse", 400)
    paid = first.costs.physical
    assert reuse.cost is not None
    assert paid is not None
    assert 0 < reuse.cost <= paid
    (slow,) = [run for run in found.runs if run.run == 2]
    assert slow.generate_seconds / slow.output_tokens > 20 * first.runs[0].generate_seconds / 400


def test_what_reuse_saved_is_told_of_a_run_that_cost_nothing(tmp_path: Path) -> None:
    cost = {"price_per_million": "100/1000"}
    work(tmp_path, ["a", "b"], cost=cost)
    report = work(tmp_path, ["a", "b"], cost=cost)
    assert report.costs.physical == 0
    text_of_last = job.render(report).split("all runs")[0]
    assert re.search(r"\n  saved +USD 0.004\d+ by reuse; without that USD 0.004\d+\n", text_of_last)


def test_the_list_of_runs_tells_what_each_cost(tmp_path: Path) -> None:
    work(tmp_path, ["a"], cost={"price_per_million": "0/1000000", "currency": "EUR"})
    work(tmp_path, ["a", "b"])
    report = work(tmp_path, ["a", "b", "c"], cost={"price_per_million": "0/2000000"})
    told = job.render(report).split("\nwords\n")[0].splitlines()
    third, second, first = [line for line in told if line.endswith("finished (exit code 0)")][-3:]
    assert first.endswith("  EUR 2.0000  finished (exit code 0)")
    assert second.endswith("  -  finished (exit code 0)")
    assert third.endswith("  USD 4.0000  finished (exit code 0)")


def test_without_a_price_there_is_no_money(tmp_path: Path) -> None:
    report = work(tmp_path, ["a", "b"])
    assert told(report, "cost").endswith(
        " device-hours; the run had no price\n"
        "give --price-per-hour or --price-per-million to see money"
    )
    assert told(report, "saved") == told(report, "listed") == ""


def test_an_unknown_column_to_attribute_by_fails_before_anything_is_computed(job: Job) -> None:
    job.write("in.csv", "id,team,text\n1,a,hello\n2,b,good day\n")
    refused = job.run("--attribute-by", "taem,id")
    assert refused.code == 2
    assert refused.error == (
        "attribute_by: no column 'taem' in in.csv (did you mean 'team'?); columns: id, team, text"
    )
    assert (job.computed(), job.names()) == (0, {"in.csv"})
    assert job.run("-q", "--attribute-by", "team", "--price-per-hour", "1").code == 0
    shares = job.report()["attribution"]["shares"]
    assert sorted(share["values"] for share in shares) == [["a"], ["b"]]
