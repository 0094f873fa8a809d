"""`llmbatch plan`: what a run will take and cost, before it and after a sample; then the run."""

import json
from itertools import pairwise
from typing import Any, cast

import pytest

from tests.cli.command import Job, QuickJob

# Eight requests at a time, a word of each in 20 milliseconds.
ENGINE = "slots=8 window=16 step_delay=0.02 prefill_delay=0.0001"
WORDS = ("alpha", "beta", "gamma", "delta", "rho")


def table(rows: int, *, first: int = 0, words: int = 12) -> str:
    lines = [
        f"{number},{' '.join(WORDS[(number + k) % 5] for k in range(words - number % 4))} {number}"
        for number in range(first, first + rows)
    ]
    return "\n".join(["id,text", *lines, ""])


@pytest.fixture
def job(quick: QuickJob) -> QuickJob:
    quick.write("in.csv", table(120))
    return quick


def planned(job: Job, *flags: str, engine: str = ENGINE) -> dict[str, Any]:
    done = job.command("plan", *job.arguments(*flags, engine=engine)[1:], "--format", "json")
    assert done.code == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen


def text(job: Job, *flags: str, engine: str = ENGINE) -> str:
    done = job.command("plan", *job.arguments(*flags, engine=engine)[1:])
    assert done.code == 0, done.stderr
    return done.stdout


def holds(interval: dict[str, float], truth: float) -> bool:
    return interval["low"] <= truth <= interval["high"]


def is_about(interval: dict[str, float], seconds: float) -> bool:
    """Of a single run on a machine that may have other work: how often intervals of the time hold
    is measured by the benchmarks."""
    return interval["low"] / 3 <= seconds <= 3 * interval["high"]


def lines(said: str, label: str) -> list[str]:
    """The text under a label, one line after the other."""
    found: list[str] = []
    here = False
    for line in said.splitlines():
        here = line.startswith(label) or (here and line.startswith(" " * 10))
        if here:
            found.append(line[10:])
    return found


def test_it_writes_nothing(job: QuickJob) -> None:
    before = job.names()
    planned(job)
    text(job, "--price-per-hour", "2")
    assert job.names() == before
    assert job.computed() == 0


def test_the_tokens_are_exact_and_so_is_what_the_run_counts(job: QuickJob) -> None:
    seen = planned(job)["prompt"]
    assert seen["exact"]
    assert seen["total"]["low"] == seen["total"]["high"] == seen["total"]["expected"]
    assert job.run("-q", engine=ENGINE).code == 0
    assert job.report()["last_run"]["prompt_tokens"] == seen["total"]["expected"]


def test_without_a_past_or_a_known_device_the_time_is_unknown(job: QuickJob) -> None:
    seen = planned(job, "--price-per-hour", "2")
    assert seen["time"]["source"] == "unknown"
    assert seen["time"]["seconds"] is None
    assert seen["cost"]["cost"] is None
    assert seen["output"]["source"] == "max_tokens"
    assert seen["output"]["total"] == {"expected": 61_440, "low": 120, "high": 61_440}
    said = text(job)
    assert "time      unknown" in said
    assert "--sample 50" in said


def test_choices_bound_the_answers(job: QuickJob) -> None:
    output = planned(job, "--choice", "yes", "--choice", "maybe")["output"]
    assert output["source"] == "choices"
    assert 120 <= output["total"]["low"] <= output["total"]["expected"] <= output["total"]["high"]
    assert output["total"]["high"] <= 120 * 8


def test_a_run_like_the_ones_before_takes_what_was_said(job: QuickJob) -> None:
    assert job.run("-q", engine=ENGINE).code == 0
    job.write("in.csv", table(360))
    price = ("--price-per-hour", "36", "--devices", "2")
    seen = planned(job, *price)
    assert seen["time"]["source"] == "history"
    assert seen["output"]["source"] == "history"
    assert seen["output"]["known"] == 120
    assert seen["prompt"]["requests"] == 240
    seconds = seen["time"]["seconds"]
    # An engine starts within milliseconds here, so generation is nearly all.
    assert seconds["high"] < 2.5 * seconds["low"]
    cost = seen["cost"]
    assert (cost["basis"], cost["currency"]) == ("device time", "USD")
    assert cost["cost"]["expected"] == pytest.approx(seconds["expected"] * 36 * 2 / 3600)
    assert cost["cost"]["high"] == pytest.approx(seconds["high"] * 36 * 2 / 3600)

    assert job.run("-q", *price, engine=ENGINE).code == 0
    last = job.report()["last_run"]
    assert holds(seen["output"]["total"], last["output_tokens"])
    assert is_about(seconds, last["seconds"])
    assert seen["tokens"]["prompt"]["expected"] == last["prompt_tokens"]


def test_it_knows_the_drafts_of_earlier_runs_and_says_where_it_does_not(job: QuickJob) -> None:
    """Two right words are drafted in each step, which then makes three."""
    without = f"{ENGINE} answer=echo"
    drafts = f"{without} drafted=2"
    assert job.run("-q", engine=without).code == 0
    job.write("in.csv", table(120, first=1000))
    plain, unknown = (planned(job, engine=engine)["time"] for engine in (without, drafts))
    assert unknown["steps"] == plain["steps"]
    assert decode(unknown)["low"] < 0.6 * decode(plain)["low"]
    told = "drafts: no run with them is known, and so not how many are right"
    assert [told in note for note in unknown["notes"]].count(True) == 1

    seen = planned(job, "--sample", "60", engine=drafts)["time"]
    (told,) = (note for note in seen["notes"] if note.startswith("drafts: "))
    assert told.endswith("in which 100 % of the drafted tokens were right")
    assert seen["steps"] < 0.45 * plain["steps"] / 2
    assert planned(job, engine=without)["time"]["steps"] > 2 * seen["steps"]
    assert job.run("-q", engine=drafts).code == 0
    steps = job.report()["last_run"]["steps"]
    assert abs(steps - seen["steps"]) <= 0.2 * steps


def decode(time: dict[str, Any]) -> dict[str, float]:
    (part,) = (each["seconds"] for each in time["parts"] if each["name"] == "decode")
    return cast(dict[str, float], part)


def test_a_sample_is_the_first_part_of_the_job(job: QuickJob) -> None:
    seen = planned(job, "--sample", "30")
    assert job.computed() == 30
    assert seen["reused_requests"] == 30
    assert seen["time"]["source"] == seen["output"]["source"] == "sample"
    assert not job.output.exists()  # it appears when it is whole
    assert job.status()["reason"] == "sample of 30 rows"
    assert (job.status()["phase"], job.status()["exit_code"]) == ("ended", 4)

    assert planned(job)["reused_requests"] == 30
    assert job.computed() == 0
    assert job.run("-q", engine=ENGINE).code == 0
    assert job.computed() == 90
    assert len(job.records()) == 120
    last = job.report()["last_run"]
    assert is_about(seen["time"]["seconds"], last["seconds"])
    assert holds(seen["output"]["total"], last["output_tokens"])
    assert job.command("check", "out.jsonl").code == 0


def test_a_sample_is_told_as_a_run_is(job: QuickJob) -> None:
    done = job.command("plan", *job.arguments("--sample", "20", engine=ENGINE)[1:])
    assert done.code == 0
    assert "starting the engine" in done.stderr
    assert "20/20 rows (100%)" in done.stderr
    assert "from a sample of" in done.stdout
    assert "time      about" in done.stdout


def test_a_sample_is_spread_over_the_job(job: QuickJob) -> None:
    job.write("in.csv", table(200))
    planned(job, "--sample", "20")
    assert job.command("export", "out.jsonl", "-o", "part.jsonl").code == 0
    answered = sorted(record["text"] for record in job.records("part.jsonl"))
    order = sorted(line.split(",")[1] for line in table(200).splitlines()[1:])
    places = sorted(order.index(one) for one in answered)
    assert len(places) == 20
    assert max(later - earlier for earlier, later in pairwise(places)) <= 20


def test_a_sample_of_all_that_is_left_finishes_the_job(job: QuickJob) -> None:
    seen = planned(job, "--sample", "500")
    assert len(job.records()) == 120
    assert job.status()["reason"] == "finished"
    assert seen["time"]["parts"]
    again = job.command("plan", *job.arguments("--sample", "5", engine=ENGINE)[1:])
    assert again.code == 0
    assert "there is nothing to do" in again.stdout
    assert job.computed() == 120


def test_a_sample_of_failures_alone_is_a_failure_of_the_plan(job: QuickJob) -> None:
    rows = [f"{n},{'FAIL ' if n < 19 else ''}{n}\n" for n in range(20)]
    job.write("in.csv", "id,text\n" + "".join(rows))
    assert planned(job, "--sample", "20")["reused_requests"] == 20
    assert job.status()["exit_code"] == 3
    job.write("in.csv", "id,text\n" + "".join(rows[:19]))
    done = job.command(
        "plan", *job.arguments("-p", "{{ text }}", engine=ENGINE)[1:], "--sample", "9"
    )
    assert done.code == 3
    assert "none of the sample's rows was answered" in done.stderr


def test_retries_of_a_sample_stay_in_the_sample(job: QuickJob) -> None:
    rows = "".join(f"{n},{'INVALID_ONCE ' if n % 2 else ''}text {n}\n" for n in range(40))
    job.write("in.csv", "id,text\n" + rows)
    seen = planned(job, "--sample", "20", "--choice", "yes")
    assert seen["reused_requests"] == 20
    assert job.computed() == 20 + round(20 * seen["output"]["retries"]["expected"])
    assert 0.2 < seen["output"]["retries"]["expected"] < 0.8


def test_an_engine_that_dies_in_a_sample_is_started_again(job: QuickJob) -> None:
    dying = f"die_after=7 die_times=1 counter={job.folder}/deaths"
    seen = planned(job, "--sample", "25", engine=f"{ENGINE} {dying}")
    assert seen["reused_requests"] == 25


def test_an_engine_that_does_not_start_ends_the_plan(job: QuickJob) -> None:
    engine = f"{ENGINE} start_error=none"
    done = job.command("plan", *job.arguments("--sample", "5", engine=engine)[1:])
    assert (done.code, done.stdout) == (5, "")
    assert done.error == "none"


def test_a_sample_of_a_job_that_runs_is_refused(quick: QuickJob) -> None:
    quick.write("in.csv", table(60))
    with quick.start(engine="delay=0.1") as run:
        run.until_answered(1)
        done = quick.command("plan", *quick.arguments("--sample", "5")[1:])
        assert done.code == 75
        assert "reuse     unknown: a run holds the job" in text(quick)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--sample", "5", "--device", "H200"), "leave --device out"),
        (("--device", "H2000"), "H200"),
    ],
)
def test_what_cannot_be_planned_is_refused(
    job: QuickJob, flags: tuple[str, ...], said: str
) -> None:
    done = job.command("plan", *job.arguments(*flags)[1:])
    assert done.code == 2
    assert said in done.error


def test_a_sample_cannot_be_drawn_from_a_stream(job: QuickJob) -> None:
    job.input = "-"
    done = job.command("plan", *job.arguments("--input-format", "csv", "--sample", "5")[1:])
    assert done.code == 2
    assert "can be read again" in done.error


def test_prices_by_the_token(job: QuickJob) -> None:
    assert job.run("-q", engine=ENGINE).code == 0
    job.write("in.csv", table(240))
    flags = ("--price-per-million", "3/15", "--listed-price", "6/30")
    seen = planned(job, *flags)
    tokens, cost = seen["tokens"], seen["cost"]
    expected = (tokens["prompt"]["expected"] * 3 + tokens["output"]["expected"] * 15) / 1e6
    assert cost["basis"] == "tokens"
    assert cost["cost"]["expected"] == pytest.approx(expected)
    assert cost["listed"]["expected"] == pytest.approx(2 * expected)
    assert cost["cost"]["low"] < expected < cost["cost"]["high"]
    assert job.run("-q", *flags, engine=ENGINE).code == 0
    assert holds(cost["cost"], job.report()["costs"]["physical"])
    assert lines(text(job, *flags), "cost")


def test_rows_that_are_too_long_are_counted_as_the_run_will_fail_them(job: QuickJob) -> None:
    long = "".join(f"{n},{'word ' * (20 + n)}\n" for n in range(60))
    job.write("in.csv", "id,text\n" + long + "60," + "word " * 79 + "\n")
    engine = f"{ENGINE} max_model_len=70"
    seen = planned(job, "--max-tokens", "10", engine=engine)
    context = seen["prompt"]["context"]
    assert (context["limit"], context["source"]) == (70, "max_model_len")
    # A prompt has a word more than its text; the last row repeats the one before.
    assert context["too_long"] == {"expected": 12, "low": 12, "high": 12}
    assert context["cut"] == {"expected": 9, "low": 9, "high": 9}
    assert context["longest"] == {"id": "61", "line": 61, "tokens": 80} | {
        key: context["longest"][key] for key in ("id", "line")
    }
    said = text(job, "--max-tokens", "10", engine=engine)
    (line,) = lines(said, "too long")
    assert line.startswith("12 rows beyond the context length of 70 tokens (max_model_len)")
    assert job.run("-q", "--max-tokens", "10", engine=engine).code == 3
    assert sum(one["error"]["kind"] == "too_long" for one in job.errors()) == 12


def test_what_the_planned_order_spares_is_told_in_seconds(job: QuickJob) -> None:
    products = [f"{name} " * 30 for name in ("lamp", "desk", "sofa")]
    rows = "".join(f'{n},"{products[n % 3]}",{n}\n' for n in range(120))
    job.write("in.csv", "id,product,text\n" + rows)
    # A cache for one product and a half, and one request at a time.
    engine = "slots=1 step_delay=0.001 prefill_delay=0.0001 block_size=10 kv_cache_blocks=7"
    prompt = ("-p", "{{ product }} {{ text }}")
    planned(job, *prompt, "--sample", "20", engine=engine)
    seen = planned(job, *prompt, engine=engine)
    hits = seen["prefix_cache"]
    spared = hits["planned"]["cached_tokens"] - hits["as_input"]["cached_tokens"]
    assert spared > 0
    each = seen["time"]["seconds_per_prompt_token"]
    (line,) = lines(text(job, *prompt, engine=engine), "order")
    assert line.startswith(f"the planned order spares {spared:,} prompt tokens")
    assert 0 < each < 0.001


def test_what_a_user_should_know_of_the_schema_is_told(quick: QuickJob) -> None:
    quick.write("in.csv", table(2))
    quick.write("schema.json", '{"type": "object", "properties": {"name": {"type": "string"}}}')
    notice = "{} is a full answer: the schema requires none of name; "
    (line,) = lines(text(quick, "--schema", "schema.json"), "notice")
    assert line.startswith(notice)
    assert notice in quick.run("--schema", "schema.json", engine="answer=said").stderr


FIELDS = {
    "rows_in", "rejected", "template_failures", "failure_example", "requests", "duplicates",
    "control_token_rows", "control_token_failures", "constraint", "pooling", "skips", "skipped",
    "reused_requests", "reused_rows", "chunks", "prompt", "output", "tokens", "memory", "device",
    "time", "cost", "notices", "stops", "first_messages", "prefix_cache",
    "rejects", "reuse_reasons", "reuse_unknown", "samples", "drift", "repeatability",
}  # fmt: skip


def test_the_json_has_these_fields(job: QuickJob) -> None:
    assert job.run("-q", "--max-rows", "60", engine=ENGINE).code == 4
    seen = planned(job, "--price-per-hour", "1")
    assert set(seen) == FIELDS
    assert set(seen["prompt"]) == {
        "total", "exact", "looked_at", "unreadable", "fitting", "requests", "mean", "longest",
            "context",
    }  # fmt: skip
    assert set(seen["output"]) == {
        "total", "each", "source", "known", "retries", "left_long",
    }  # fmt: skip
    assert set(seen["tokens"]) == {"prompt", "cached", "output"}
    assert set(seen["time"]) == {
        "source", "seconds", "parts", "steps", "batch", "seconds_per_prompt_token", "notes",
    }  # fmt: skip
    assert set(seen["cost"]) == {
        "currency", "basis", "cost", "listed", "listed_name", "devices",
    }  # fmt: skip
    assert {part["name"] for part in seen["time"]["parts"]} == {
        "reading and planning", "engine start", "prefill", "decode", "warm-up and idle",
        "engine stop", "export", "other",
    }  # fmt: skip
    for part in seen["time"]["parts"]:
        assert part["seconds"]["low"] <= part["seconds"]["expected"] <= part["seconds"]["high"]
        assert part["seconds"]["low"] >= 0


def test_a_row_that_is_too_long_changes_nothing_for_the_others(job: QuickJob) -> None:
    """Neither the tokens of the others, nor what they cost, nor the room for their answers."""
    flags = ("--max-tokens", "100", "--price-per-million", "1/1000")
    engine = f"{ENGINE} max_model_len=500"
    before = planned(job, *flags, engine=engine)
    job.write("in.csv", f"{table(120)}too-long,{'hello ' * 60_000}\n")
    seen = planned(job, *flags, engine=engine)
    assert seen["prompt"]["context"]["too_long"]["expected"] == 1
    assert seen["output"] == before["output"]
    assert seen["cost"] == before["cost"]
    for name in ("fitting", "mean", "longest", "requests"):
        assert seen["prompt"][name] == before["prompt"][name]
    fitting = f"{before['prompt']['total']['expected']:,.0f}"
    assert lines(text(job, *flags, engine=engine), "tokens") == [
        f"{fitting} in the prompts",
        "without those that are too long",
    ]


def test_of_an_empty_job_no_history_is_told(quick: QuickJob) -> None:
    quick.write("in.csv", "id,text\n")
    assert planned(quick)["time"]["source"] == "assumed"
    assert "nothing is to be computed" in lines(text(quick), "time")[0]
    assert quick.run("-q", engine=ENGINE).code == 0
    assert planned(quick)["time"]["source"] == "assumed"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--device", "2xH200", "--devices", "4"], "4 devices (--devices)"),
        (["--device", "4xH200", "--engine-arg", "tensor_parallel_size=2"], "over 2 devices"),
    ],
)
def test_how_many_devices_is_said_once(job: QuickJob, flags: list[str], said: str) -> None:
    done = job.command("plan", *job.arguments(*flags)[1:])
    assert done.code == 2
    assert flags[1] in done.error
    assert said in done.error


def test_the_devices_of_the_engines_options_are_paid(job: QuickJob) -> None:
    engine = f"{ENGINE} tensor_parallel_size=2"
    price = ("--price-per-hour", "36")
    assert job.run("-q", *price, engine=engine).code == 0
    assert job.report()["runs"][-1]["devices"] == 2
    last = job.report()["last_run"]
    assert last["cost"] == pytest.approx(last["seconds"] * 2 * 36 / 3600)
    assert job.status()["cost"] == pytest.approx(last["cost"], rel=0.2)
    job.write("in.csv", table(360))
    seen = planned(job, *price, engine=engine)
    seconds = seen["time"]["seconds"]["expected"]
    assert seen["cost"]["cost"]["expected"] == pytest.approx(seconds * 2 * 36 / 3600)
    # Half a price may be meant.
    assert planned(job, *price, "--devices", "1", engine=engine)["cost"]["devices"] == 1


def test_after_a_run_that_was_stopped_the_rest_may_take_more(job: QuickJob) -> None:
    lines_of_input = [f"{number},a {number}" for number in range(100)]
    lines_of_input += [f"{number},z {number} LENGTH:50" for number in range(100, 104)]
    job.write("in.csv", "\n".join(["id,text", *lines_of_input, ""]))
    flags = ("--max-tokens", "100")
    assert job.run("-q", *flags, "--max-rows", "60", engine=ENGINE).code == 4
    seen = planned(job, *flags)
    said = " ".join(lines(text(job, *flags), "output"))
    assert "at most 8 answers of full length more: the last run was stopped" in said
    assert job.run("-q", *flags, engine=ENGINE).code == 0
    last = job.report()["last_run"]
    assert last["output_tokens"] > 200
    assert holds(seen["output"]["total"], last["output_tokens"])
    assert last["seconds"] < 3 * seen["time"]["seconds"]["high"]


def test_limits_that_would_stop_the_run_are_told(job: QuickJob) -> None:
    price = ("--price-per-million", "1/1000", "--max-tokens", "20")
    # At most 120 answers of 20 tokens each: 2.40, and a little for the prompts.
    assert planned(job, *price, "--max-cost", "3", "--max-rows", "120")["stops"] == []
    said = text(job, *price, "--max-cost", "0.01", "--max-rows", "60")
    assert lines(said, "limit") == [
        "--max-rows 60 would stop the run before its end",
        "the budget of 0.01 USD would stop the run before its end",
    ]
    assert planned(job, "--deadline", "1h")["stops"] == []  # the time is unknown
    assert job.run("-q", "--max-rows", "60", engine=ENGINE).code == 4
    assert planned(job, "--deadline", "1h")["stops"] == []
    assert planned(job, "--deadline", "1s")["stops"] != []
