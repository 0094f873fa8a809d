"""`llmbatch tune`: a table, the job file, exit codes; nothing of the job is touched."""

import json
import signal
import tomllib
from threading import Timer
from types import SimpleNamespace
from typing import Any

import pytest

from llmbatch.cli import tune_result
from llmbatch.cli.commands.tune import _knobs
from llmbatch.core.speculation import Speculation
from llmbatch.tune.candidates import describe
from tests.cli.command import ENGINE, Job, QuickJob, Running, wait_for

ROWS = "id,text\n" + "".join(f"{n},text {n}\n" for n in range(60))
JOB = f"""\
# How we answer.
input = "in.csv"
output = "out.jsonl" # the answers
model = "m"
prompt = "Say {{{{ text }}}}"

[engine]
name = "{ENGINE}"
delay = 0.02 # seconds
ledger = "ledger"

# What it costs.
[cost]
price_per_hour = 1
"""


@pytest.fixture
def tuned(quick: QuickJob) -> QuickJob:
    """A job of sixty rows with a job file."""
    quick.write("in.csv", ROWS)
    quick.write("job.toml", JOB)
    return quick


def tune(job: Job, *more: str) -> tuple[int, str, str]:
    done = job.command("tune", "--trust-job-file", "job.toml", "--rows", "12", *more)
    return done.code, done.stdout, done.stderr


def as_json(job: Job, *more: str) -> dict[str, Any]:
    code, stdout, _ = tune(job, "--format", "json", *more)
    assert code == 0
    found: dict[str, Any] = json.loads(stdout)
    return found


def test_the_best_setting_goes_into_the_job_file(tuned: QuickJob) -> None:
    code, stdout, stderr = tune(tuned, "--set", "delay=0.05,0.001")
    assert code == 0
    lines = stdout.splitlines()
    titles = ["settings", "tokens/s", "gain", "requests/s", "start", "preempted"]
    assert lines[0].split() == titles
    starts = ["present settings ", "delay=0.05 ", "delay=0.001 ", "present settings, again "]
    assert all(line.startswith(start) for line, start in zip(lines[1:5], starts, strict=True))
    assert lines[-1] == "best: delay=0.001"
    assert "12 of 60 requests" in lines[-3]
    assert lines[-2].startswith("the best saves about 1.")
    assert " (USD 0.000" in lines[-2]
    assert "llmbatch: job.toml: set delay=0.001 under [engine]" in stderr.splitlines()
    written = (tuned.folder / "job.toml").read_text().splitlines()
    notes = [line for line in written if line.startswith("# llmbatch tune, 20")]
    assert len(notes) == 1
    assert notes[0].endswith(" tokens/s on 12 requests")
    written.remove(notes[0])
    assert "\n".join(written) + "\n" == JOB.replace("delay = 0.02 #", "delay = 0.001 #")


def test_nothing_of_the_job_is_touched(tuned: QuickJob) -> None:
    tune(tuned, "--set", "delay=0.001")
    assert tuned.names() == {"in.csv", "job.toml"}
    assert tuned.computed() == 3 * 12


def test_the_next_run_uses_it_and_the_former_answers(tuned: QuickJob) -> None:
    assert tuned.command("run", "--trust-job-file", "job.toml", "-q").code == 0
    assert tuned.computed() == 60
    tune(tuned, "--set", "delay=0.001")
    tuned.computed()
    assert tuned.command("run", "--trust-job-file", "job.toml", "-q").code == 0
    assert tuned.computed() == 0
    assert len(tuned.records()) == 60


def test_a_dry_run_leaves_the_job_file(tuned: QuickJob) -> None:
    found = as_json(tuned, "--set", "delay=0.001", "--dry-run")
    assert (found["best"], found["written"]) == ({"delay": 0.001}, None)
    assert (tuned.folder / "job.toml").read_text() == JOB


def test_figures_as_json(tuned: QuickJob) -> None:
    found = as_json(tuned, "--set", "delay=0.001", "--set", "start_error=boom")
    present, faster, broken, again = found["settings"]
    assert (present["changes"], present["again"], again["again"]) == ({}, False, True)
    assert faster["tokens_per_second"] > 2 * present["tokens_per_second"]
    assert min(faster["gains"]) > 1
    assert (faster["failed"], faster["preemptions"]) == (0, 0)
    assert broken["note"] == "boom"
    assert "tokens_per_second" not in broken
    assert (found["sampled"], found["planned"], found["written"]) == (12, 60, "job.toml")


def test_a_failure_is_a_line_of_the_table(tuned: QuickJob) -> None:
    code, stdout, _ = tune(tuned, "--set", "start_error='out of memory'", "--set", "die_after=5")
    assert code == 0
    lines = [line.split("  ") for line in stdout.splitlines()]
    assert ("start_error=out of memory", "out of memory") in [(one[0], one[-1]) for one in lines]
    assert "engine died: scripted after 5 answers" in [one[-1] for one in lines]
    assert (tuned.folder / "job.toml").read_text() == JOB


def test_a_job_by_flags_gets_flags(quick: QuickJob) -> None:
    quick.write("in.csv", ROWS)
    arguments = quick.arguments(
        "--rows", "12", "--set", "delay=0.001", engine="delay=0.02 notice=untested"
    )[1:]
    done = quick.command("tune", *arguments)
    assert done.code == 0
    assert done.stderr.splitlines()[0] == "llmbatch: untested"
    assert done.stdout.splitlines()[-1] == "add to the command: --engine-arg delay=0.001"
    assert quick.names() == {"in.csv"}


def test_no_setting_can_be_measured(tuned: QuickJob) -> None:
    code, stdout, stderr = tune(tuned, "--engine-arg", "start_error=boom", "--set", "window=4")
    assert code == 5
    assert stdout.count("boom") == 2
    assert stderr.splitlines()[-1] == "llmbatch: error: no setting could be measured: boom"


def test_drafts_are_told_with_their_number() -> None:
    measured: Any = SimpleNamespace(speculation=Speculation(3, (3, 2), (3, 1)))
    told = tune_result._drafted(measured)
    assert told == "80% of 5 drafted tokens accepted (100% 50%)"


def test_a_table_is_read_as_it_is_shown() -> None:
    shorter, longer = ({"method": "ngram", "num_speculative_tokens": n} for n in (4, 8))
    shown = describe({"speculative_config": shorter})
    assert _knobs([f"{shown}, {json.dumps(longer)}"]) == {"speculative_config": [shorter, longer]}
    toml = 'speculative_config={method = "ngram", num_speculative_tokens = 4}'
    assert _knobs([toml]) == {"speculative_config": [shorter]}


@pytest.mark.parametrize(
    ("flags", "error"),
    [
        (("--set", "variant=x"), "--set variant=x: can change the answers"),
        (("--set", "dely=1"), "engine option 'dely': unknown (did you mean 'delay'?)"),
        (("--set", "delay"), "--set 'delay': write KEY=VALUE"),
        (("--set", "delay=slow"), "engine option 'delay': could not convert"),
        (("--set", 'delay={"a": 1, b}'), "neither TOML nor JSON"),
        (("--budget", "soon"), "--budget: write a span of time"),
        (("--budget", "06:00"), "--budget: write a span of time"),
        (("--budget", "0s"), "--budget: must be from 1 to"),
        (("-i", "none.csv"), "none.csv: no such file"),
        (("-p", "Say {{ txt }}"), "did you mean 'text'?"),
    ],
)
def test_what_cannot_be_used(tuned: QuickJob, flags: tuple[str, ...], error: str) -> None:
    code, stdout, stderr = tune(tuned, *flags)
    assert (code, stdout) == (2, "")
    assert error in stderr.splitlines()[-1]
    assert tuned.computed() == 0
    assert (tuned.folder / "job.toml").read_text() == JOB


def test_a_job_file_that_has_become_unreadable_costs_no_figures(tuned: QuickJob) -> None:
    """It is edited while its settings are measured."""
    started = JOB.replace("[engine]", "[engine]\nstart_delay = 1")
    tuned.write("job.toml", started)
    engine = ("--set", "delay=0.001")
    Timer(2.0, (tuned.folder / "job.toml").write_text, ["[half"]).start()
    code, stdout, stderr = tune(tuned, *engine)
    assert code == 2
    assert "best: delay=0.001" in stdout.splitlines()
    assert "job.toml: is not TOML any more" in stderr.splitlines()[-1]
    assert (tuned.folder / "job.toml").read_text() == "[half"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_keeps_the_file(job: Job, number: signal.Signals) -> None:
    job.write("in.csv", ROWS)
    job.write("job.toml", JOB)
    counting = ["start_failures=1", "start_failures_after=99", "counter=starts"]
    flags = [part for option in counting for part in ("--engine-arg", option)]
    arguments = [
        "tune",
        "--trust-job-file",
        "job.toml",
        "--rows",
        "12",
        "--set",
        "delay=9,8",
        *flags,
    ]
    starts = job.folder / "starts"
    with Running(job, arguments) as running:
        wait_for(starts.exists)
        wait_for(lambda: len(starts.read_text().split()) == 2)
        running.signal(number)
        done = running.wait()
    assert done.code == 128 + number
    lines = done.stdout.splitlines()
    assert lines[1].startswith("present settings ")
    assert lines[2].endswith("stopped by a signal")
    assert "stopped by a signal: nothing is written" in lines
    assert (job.folder / "job.toml").read_text() == JOB


def test_the_order_of_fields_is_that_of_the_jobs_answers(tuned: QuickJob) -> None:
    """Prompts are those of the next run: what it would share, the sample shares, too."""
    rows = "".join(f"{n},same,{n % 2}\n" for n in range(60))
    tuned.write("in.csv", "id,text,half\n" + rows)
    whole = ("-p", "Say {{ record }}", "--engine-arg", "max_model_len=99")
    assert tuned.command("run", "--trust-job-file", "job.toml", "-q", *whole).code == 0
    answered = set((tuned.folder / "ledger").read_text().split())
    tuned.computed()
    code, _, _ = tune(tuned, "--set", "delay=0.01", *whole)
    assert code == 0
    assert set((tuned.folder / "ledger").read_text().split()) < answered


def test_it_may_be_done_while_a_run_holds_the_job(job: Job) -> None:
    job.write("in.csv", ROWS)
    job.write("job.toml", JOB)
    with job.start(engine="delay=0.5") as running:
        running.until_answered(1)
        done = job.command(
            "tune", "--trust-job-file", "job.toml", "--rows", "6", "--set", "delay=0.001"
        )
        assert done.code == 0
    assert tomllib.loads((job.folder / "job.toml").read_text())["engine"]["delay"] == 0.001


def test_what_was_measured_with_flags_is_not_written_into_the_file(tuned: QuickJob) -> None:
    given = ("--engine-arg", "delay=0.03", "--set", "delay=0.001")
    code, stdout, _ = tune(tuned, *given)
    assert code == 0
    assert stdout.splitlines()[-1] == "add to the command: --engine-arg delay=0.001"
    assert (tuned.folder / "job.toml").read_text() == JOB
