"""`llmbatch report` and `run --report`: the forms, the files, what is asked later, and refusals."""

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from llmbatch.cli.main import cli
from llmbatch.reports import renderers
from tests.cli.command import ROOT, Finished, Job, QuickJob, environment, llmbatch, wait_for

STYLES = {"text": ".txt", "json": ".json", "markdown": ".md", "html": ".html"}


def looks(style: str, text: str) -> bool:
    """True if a report has this form, by its beginning."""
    starts = {"json": "{\n", "markdown": "## ", "html": "<!doctype html>", "text": "in.csv -> "}
    return text.startswith(starts[style])


@pytest.fixture
def done(quick: QuickJob) -> QuickJob:
    assert quick.run("-q", "--price-per-hour", "3600").code == 0
    return quick


def cost(job: Job, *flags: str) -> tuple[float | None, str]:
    """The cost of all runs and its currency, with these flags."""
    shown = job.command("report", "out.jsonl", "--format", "json", *flags)
    assert shown.code == 0, shown.stderr
    found = json.loads(shown.stdout)
    return found["all_costs"]["physical"], found["currency"]


def test_the_forms_that_the_command_offers_are_those_there_are() -> None:
    (style,) = (given for given in cli.commands["report"].params if given.name == "style")
    assert tuple(getattr(style.type, "choices")) == renderers.STYLES == tuple(STYLES)  # noqa: B009


@pytest.mark.parametrize("style", STYLES)
def test_every_form_goes_to_standard_output(done: QuickJob, style: str) -> None:
    for more in ((), ("-o", "-")):
        shown = done.command("report", "out.jsonl", "--format", style, *more)
        assert (shown.code, shown.stderr) == (0, "")
        assert looks(style, shown.stdout)


def test_text_is_what_is_shown_when_nothing_is_asked_for(done: QuickJob) -> None:
    assert looks("text", done.command("report", "out.jsonl").stdout)
    assert looks("text", done.command("report", "out.jsonl", "-o", "-").stdout)


@pytest.mark.parametrize("style", STYLES)
def test_a_file_has_the_form_of_its_suffix(done: QuickJob, style: str) -> None:
    name = "report" + STYLES[style]
    assert done.command("report", "out.jsonl", "-o", name).code == 0
    with (done.folder / name).open("a") as former:
        former.write("what was there before")
    shown = done.command("report", "out.jsonl", "-o", name)
    assert (shown.code, shown.stdout) == (0, "")
    assert shown.stderr == f"llmbatch: report written to {name}\n"
    written = (done.folder / name).read_text()
    assert looks(style, written)
    assert done.command("report", "out.jsonl", "--format", style).stdout == written
    assert not [path for path in done.names() if path.startswith(".")]


def test_a_form_that_is_named_wins_over_the_suffix(done: QuickJob) -> None:
    assert done.command("report", "out.jsonl", "--format", "json", "-o", "report.txt").code == 0
    assert looks("json", (done.folder / "report.txt").read_text())
    assert done.command("report", "out.jsonl", "--format", "markdown", "-o", "summary").code == 0
    assert looks("markdown", (done.folder / "summary").read_text())


def test_a_page_is_not_poured_over_a_terminal(done: QuickJob) -> None:
    command = [sys.executable, "-m", "llmbatch", "report", "out.jsonl", "--format", "html"]
    main, terminal = pty.openpty()
    with os.fdopen(main, "rb"), os.fdopen(terminal, "wb") as screen:
        finished = subprocess.run(
            command,
            cwd=done.folder,
            env=environment(),
            stdout=screen,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert finished.returncode == 2
    assert b"html is for a browser: name a file, as in -o report.html" in finished.stderr


REFUSED = [
    ((), "give a JOB (its output, job file or state folder), or --all DIR"),
    (("nothing.jsonl",), "nothing.jsonl: no job found there"),
    (("out.jsonl", "-o", "report.pdf"), "ends in one of .txt, .json, .md, .html"),
    (("out.jsonl", "-o", "report"), "ends in one of .txt, .json, .md, .html"),
    (("out.jsonl", "-o", "no/report.md"), "no/report.md: there is no folder no"),
    (("out.jsonl", "--format", "md", "-o", "."), "must be 'text', 'json', 'markdown' or 'html'"),
    (("out.jsonl", "--format", "text", "-o", "."), ".: is a folder; give a file name"),
    (("out.jsonl", "--price-per-hour", "-1"), "--price-per-hour: must be a number, 0 or more"),
    (("out.jsonl", "--price-per-hour", "nan"), "--price-per-hour: "),
    (("out.jsonl", "--price-per-million", "cheap"), "--price-per-million: write IN/OUT"),
    (("out.jsonl", "--listed-price", "1/x"), "--listed-price: must be a number"),
    (("out.jsonl", "--devices", "0"), "--devices: "),
    (("out.jsonl", "--attribute-by", "text,text"), "--attribute-by: names a column twice"),
    (("out.jsonl", "--attribute-by", "txt"), "did you mean 'text'?"),
    (
        ("out.jsonl", "--price-per-hour", "1", "--price-per-million", "1/2"),
        "price_per_hour and price_per_million are both given: devices are paid by the hour",
    ),
    (("out.jsonl", "--all", "."), "both a job (out.jsonl) and --all .: give one of them"),
    (("out.jsonl", "--since", "2026-01-01"), "--since goes with --all DIR"),
    (("out.jsonl", "--schema"), "--schema is the same for every job: leave out out.jsonl"),
    (("--schema", "--format", "html"), "--schema is that of --format json: leave out --format"),
    (("--schema", "--all", ".", "--since", "2026-01-01"), "leave out --since"),
    (("--schema", "--price-per-hour", "1"), "--schema holds no figures: leave out --price-per"),
    (("out.jsonl", "--currency", "U S"), "--currency: must have letters, digits or symbols only"),
    (("--all", "nowhere"), "nowhere: is not a folder"),
    (("--all", "in.csv"), "in.csv: is not a folder"),
    (("--all", ".", "--since", "yesterday"), "--since: 'yesterday' is no date or time"),
    (("--all", ".", "--attribute-by", "text"), "--attribute-by is for the report of one job"),
    (("--all", ".", "--listed-price", "1/2"), "--listed-price is for the report of one job"),
]


@pytest.mark.parametrize(("arguments", "words"), REFUSED, ids=[" ".join(a) for a, _ in REFUSED])
def test_what_is_refused_and_why(done: QuickJob, arguments: tuple[str, ...], words: str) -> None:
    before = done.names()
    shown = done.command("report", *arguments)
    assert (shown.code, shown.stdout) == (2, "")
    assert words in " ".join(shown.stderr.split())
    assert done.names() == before


def test_a_job_without_a_run_has_no_report(quick: QuickJob) -> None:
    assert quick.run("-q", "--engine-arg", "refuse=true").code == 2
    assert quick.command("report", "out.jsonl").code == 2


def test_a_job_that_runs_is_reported_as_it_was_just_now(job: Job) -> None:
    job.write("in.csv", "id,text\n" + "".join(f"{n},text {n}\n" for n in range(500)))
    with job.start("-q", engine="delay=0.1") as running:
        running.until_answered(1)
        shown = job.command("report", "out.jsonl")
        assert shown.code == 0
        assert "what it had committed just now" in shown.stderr
        assert "500 in = " in shown.stdout
        every = job.command("report", "--all", ".")
        assert every.code == 0
        assert "running; generating: " in every.stdout
        assert " of 500 rows" in every.stdout


def test_a_price_that_is_given_later(done: QuickJob) -> None:
    paid, currency = cost(done)
    assert paid is not None
    assert currency == "USD"
    double, currency = cost(done, "--price-per-hour", "7200", "--currency", "EUR")
    assert double == pytest.approx(2 * paid)
    assert currency == "EUR"
    for asked in (("out.jsonl",), ("--all", ".")):
        refused = done.command("report", *asked, "--currency", "EUR")
        assert refused.code == 2
        assert "prices" not in refused.stdout
        assert "a run has a price in USD" in refused.error
    assert cost(done, "--devices", "3")[0] == pytest.approx(3 * paid)
    report = done.report()
    used = report["all_runs"]
    by_token = (used["prompt_tokens"] * 2 + used["output_tokens"] * 3) / 1e6
    assert cost(done, "--price-per-million", "2/3")[0] == pytest.approx(by_token)
    # Nothing of it is kept.
    assert cost(done)[0] == paid


def test_a_listed_price_and_columns_that_are_given_later(done: QuickJob) -> None:
    flags = ("--listed-price", "1/2", "--attribute-by", "text,id")
    found = json.loads(done.command("report", "out.jsonl", "--format", "json", *flags).stdout)
    used = found["all_runs"]
    listed = found["all_costs"]["listed"]
    assert listed["cost"] == pytest.approx(
        (used["prompt_tokens"] + 2 * used["output_tokens"]) / 1e6
    )
    assert found["attribution"]["by"] == ["text", "id"]
    values = {tuple(share["values"]) for share in found["attribution"]["shares"]}
    assert {("hello", "1"), ("good day", "2"), ("bye", "3")} <= values
    assert done.report()["attribution"] is None


@pytest.mark.parametrize(
    ("flags", "name"), [((), "report.schema.json"), (("--all", "."), "folder.schema.json")]
)
def test_the_schema_is_shown_without_a_job(
    quick: QuickJob, flags: tuple[str, ...], name: str
) -> None:
    shown = quick.command("report", *flags, "--schema")
    assert shown.code == 0
    assert shown.stdout == (ROOT / "llmbatch/reports" / name).read_text()


def test_a_run_writes_the_reports_that_it_is_asked_for(quick: QuickJob) -> None:
    names = [f"report{suffix}" for suffix in STYLES.values()]
    flags = [part for name in names for part in ("--report", name)]
    finished = quick.run("-q", "--price-per-hour", "3600", *flags)
    assert (finished.code, finished.stdout, finished.stderr) == (0, "", "")
    for style, name in zip(STYLES, names, strict=True):
        written = (quick.folder / name).read_text()
        assert looks(style, written)
        assert quick.command("report", "out.jsonl", "--format", style).stdout == written
    assert json.loads((quick.folder / "report.json").read_text()) == quick.report()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("-", "--report: name a file"),
        ("report.pdf", "ends in one of .txt, .json, .md, .html"),
        ("report", "ends in one of .txt, .json, .md, .html"),
        ("no/report.md", "there is no folder no"),
        ("folder.md", "folder.md: is a folder"),
    ],
)
def test_a_report_that_cannot_be_is_refused_before_anything_runs(
    quick: QuickJob, name: str, words: str
) -> None:
    (quick.folder / "folder.md").mkdir()
    before = quick.names()
    finished = quick.run("--report", "good.md", "--report", name)
    assert finished.code == 2
    assert words in finished.error
    assert quick.names() == before
    assert quick.computed() == 0


def summary(job: Job) -> str:
    return (job.folder / "summary.md").read_text()


def test_a_stopped_run_and_one_with_failures_write_them_too(quick: QuickJob) -> None:
    quick.write("in.csv", "id,text\n1,a\n2,~ FAIL:too_long\n3,c\n")
    assert quick.run("-q", "--max-rows", "1", "--report", "summary.md").code == 4
    assert "1 of 3 rows answered" in summary(quick)
    assert "(exit code 4)" in summary(quick)
    assert quick.run("-q", "--report", "summary.md").code == 3
    assert "2 of 3 rows answered" in summary(quick)
    assert "scripted failure" in summary(quick)


def test_a_run_whose_engine_does_not_start_writes_them(quick: QuickJob) -> None:
    failed = quick.run("-q", "--report", "summary.md", engine="start_error=no_device")
    assert failed.code == 5
    assert "0 of 3 rows answered" in summary(quick)
    assert "(exit code 5)" in summary(quick)


def test_a_run_whose_engine_dies_for_good_writes_them(quick: QuickJob) -> None:
    quick.write("in.csv", "id,text\n1,a\n2,b\n3,c\n")
    dead = quick.run("-q", "--report", "summary.md", "--engine-restarts", "0", engine="die_after=1")
    assert dead.code == 5
    assert "engine died: scripted after 1 answers" in summary(quick)


def test_a_report_that_cannot_be_written_changes_nothing_else(quick: QuickJob) -> None:
    """The folder is there when the run begins, and gone when it ends."""
    gone = quick.folder / "gone"
    gone.mkdir()
    flags = ("--report", "gone/summary.md", "--report", "s.md")
    with quick.start(*flags, engine="start_delay=0.5") as running:
        wait_for((quick.state / "job.duckdb").exists)
        gone.rmdir()
        finished = running.wait()
    assert finished.code == 0
    assert "warning: gone/summary.md: cannot be written: No such file" in finished.stderr
    assert (quick.folder / "s.md").exists()
    assert quick.report()["rows_in"] == 3


def test_a_report_that_fails_stops_nothing(quick: QuickJob) -> None:
    """A bug in one form costs neither the others, nor the output, nor the exit code."""
    flags = ("--report", "page.html", "--report", "s.md", "--engine", "tests.cli.odd_engine:create")
    finished = quick.run(*flags)
    assert (finished.code, len(quick.records())) == (0, 3)
    (line,) = [line for line in finished.stderr.splitlines() if "bug in llmbatch" in line]
    assert line.startswith("llmbatch: warning: page.html: failed, which is a bug in llmbatch (")
    assert line.endswith("); the run is not affected")
    assert "3 of 3 rows answered" in (quick.folder / "s.md").read_text()
    assert not (quick.folder / "page.html").exists()


def all_jobs(job: Job, *flags: str) -> Finished:
    return job.command("report", "--all", ".", *flags)


def test_all_jobs_of_a_folder(done: QuickJob) -> None:
    other = ("-o", "other.jsonl", "-q", "--price-per-hour", "7.2", "--currency", "EUR")
    assert done.run(*other).code == 0
    (done.folder / "torn.llmbatch").mkdir()
    done.write("torn.llmbatch/job.duckdb", b"torn")
    shown = all_jobs(done)
    assert (shown.code, shown.stderr) == (0, "")
    lines = shown.stdout.splitlines()
    assert lines[0] == "3 jobs below ."
    names = [line.split("Z  ")[-1].split()[0] for line in lines if ".llmbatch" in line][:2]
    assert names == ["other.llmbatch", "out.llmbatch"]
    assert re.search(r"  torn.llmbatch +unread; .*run the job with --fresh", lines[-1])
    found = json.loads(all_jobs(done, "--format", "json").stdout)
    assert [amount["currency"] for amount in found["total"]["amounts"]] == ["EUR", "USD"]
    for style, suffix in STYLES.items():
        name = f"all{suffix}"
        assert all_jobs(done, "-o", name).code == 0
        assert "torn.llmbatch" in (done.folder / name).read_text(), style


def test_a_killed_run_is_told_as_one(quick: QuickJob) -> None:
    quick.run("-q", "--checkpoint-rows", "1", engine="kill_after=2 delay=0.1")
    found = json.loads(all_jobs(quick, "--format", "json").stdout)
    (line,) = found["jobs"]
    assert (line["state"], line["last_run"]["exit_code"]) == ("killed", None)
    assert line["spent"]["rows"] == line["counts"]["answered"] >= 1
    assert all_jobs(quick).stdout.splitlines()[-1].endswith("  killed")


def test_a_folder_without_jobs_is_no_error(tmp_path: Path) -> None:
    shown = llmbatch(tmp_path, "report", "--all", ".")
    assert (shown.code, shown.stdout) == (0, "0 jobs below .\n")
    assert shown.stderr == "llmbatch: no jobs below .\n"
    found = json.loads(llmbatch(tmp_path, "report", "--all", ".", "--format", "json").stdout)
    assert found["jobs"] == []


def test_runs_since_a_date(done: QuickJob) -> None:
    long_ago = json.loads(all_jobs(done, "--since", "2020-01-01", "--format", "json").stdout)
    assert (long_ago["total"]["runs"], long_ago["idle"]) == (1, 0)
    assert long_ago["since"] == "2020-01-01T00:00:00Z"
    later = json.loads(
        all_jobs(done, "--since", "2100-01-01T12:00+02:00", "--format", "json").stdout
    )
    assert (later["total"]["runs"], later["idle"], later["jobs"]) == (0, 1, [])
    assert later["since"] == "2100-01-01T10:00:00Z"


def test_a_job_file_names_reports_from_its_own_folder(quick: QuickJob) -> None:
    whole = (
        'input = "../in.csv"\noutput = "../out.jsonl"\nmodel = "m"\nprompt = "Say {{ text }}"\n'
        '[engine]\nname = "tests.scripted_engine:create"\n[run]\nreports = ["mine.md"]\n'
    )
    quick.write("sub/job.toml", whole.replace("mine.md", "mine.pdf"))
    refused = quick.command("run", "--trust-job-file", "-q", "sub/job.toml")
    assert (refused.code, quick.state.exists()) == (2, False)
    assert "ends in one of .txt, .json, .md, .html" in refused.error
    quick.write("sub/job.toml", whole)
    assert quick.command("run", "--trust-job-file", "-q", "sub/job.toml").code == 0
    assert looks("markdown", (quick.folder / "sub/mine.md").read_text())
    (quick.folder / "sub/mine.md").unlink()
    assert (
        quick.command("run", "--trust-job-file", "-q", "sub/job.toml", "--report", "other.md").code
        == 0
    )
    assert (quick.folder / "other.md").exists()
    assert not (quick.folder / "sub/mine.md").exists()
