"""Keys of servers: from the environment only, and in nothing that a run writes or says."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.cli.command import QuickJob, environment, wait_for
from tests.crash.tracer import Trace, Tracer
from tests.servers.process import ServerProcess, serving

PLANTED = "sk-PLANTED-4711"


def assert_in_no_file(job: QuickJob) -> None:
    """No file of the job's folder holds the key, in any name or content."""
    found = [
        path
        for path in job.folder.rglob("*")
        if PLANTED in path.name or (path.is_file() and PLANTED.encode() in path.read_bytes())
    ]
    assert found == []


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--base-url", f"https://me:{PLANTED}@h/v1"), "--api-key-env NAME"),
        (("--base-url", f"https://h/v1?api_key={PLANTED}"), "--api-key-env NAME"),
        (("--base-url", "https://h/v1", "--api-key-env", PLANTED), "not the key itself"),
        (("--engine-arg", f"api-key={PLANTED}"), "--api-key-env NAME"),
    ],
)
def test_a_key_on_the_command_line_is_refused_and_not_repeated(
    quick: QuickJob, flags: tuple[str, ...], words: str
) -> None:
    usual = ("run", "in.csv", "-o", "out.jsonl", "-m", "m", "-p", "Say {{ text }}", "-vv")
    done = quick.command(*usual, "--engine", "openai", *flags)
    assert done.code == 2
    assert words in done.error
    assert PLANTED not in done.stderr + done.stdout
    assert_in_no_file(quick)


@pytest.mark.parametrize("is_stage", [False, True])
def test_a_key_in_a_job_file_is_refused_and_not_repeated(quick: QuickJob, is_stage: bool) -> None:
    secret = f'base_url = "https://me:{PLANTED}@h/v1"'
    models = 'model = "m"'
    if is_stage:
        models = f'[[model]]\nmodel = "a"\n[[model]]\nmodel = "b"\nengine = {{ {secret} }}'
    engine = '[engine]\nname = "openai"\n' + ("" if is_stage else secret)
    lines = [
        'input = "in.csv"',
        'output = "out.jsonl"',
        'prompt = "Say {{ text }}"',
        models,
        engine,
    ]
    path = quick.write("job.toml", "\n".join(lines))
    done = quick.command("run", "job.toml", "-vv")
    path.unlink()
    assert done.code == 2
    assert "--api-key-env NAME" in done.error
    assert PLANTED not in done.stderr + done.stdout
    assert_in_no_file(quick)


def over(server: ServerProcess, *more: str) -> list[str]:
    """The command line of a run over a server."""
    usual = ["in.csv", "-o", "out.jsonl", "-m", "scripted", "-p", "Say {{ text }}", "-vv"]
    given = ["--engine", "openai", "--base-url", server.url, "--api-key-env", "SERVER_KEY"]
    reports = [
        "--report",
        "report.html",
        "--report",
        "report.json",
        "--metrics-file",
        "metrics.prom",
    ]
    return ["run", *usual, *given, *reports, *more]


def ended(job: QuickJob, forks: Tracer, arguments: Sequence[str]) -> Trace:
    """A run with the planted key, which shows nowhere."""
    trace = forks.run(arguments, job.folder, traced=False, env={"SERVER_KEY": PLANTED})
    assert "Traceback" not in trace.stderr
    assert PLANTED not in trace.stderr + trace.stdout
    assert_in_no_file(job)
    return trace


def test_a_run_writes_the_key_nowhere(quick: QuickJob, forks: Tracer) -> None:
    with serving(key=PLANTED, tells_key=True) as server:
        trace = ended(quick, forks, over(server))
        sent = server.seen()["headers"]
    assert trace.code == 0
    assert len(quick.records()) == 3
    assert {headers["Authorization"] for headers in sent} == {f"Bearer {PLANTED}"}
    assert (quick.folder / "metrics.prom").exists()


def test_a_refusal_that_repeats_the_key_is_told_without_it(quick: QuickJob, forks: Tracer) -> None:
    with serving(key="another", tells_key=True) as server:
        trace = ended(quick, forks, over(server))
    assert trace.code == 5
    assert "Incorrect API key provided: ***" in trace.stderr
    assert "--api-key-env" in trace.stderr


def test_a_server_that_is_gone_leaves_no_key(quick: QuickJob, forks: Tracer) -> None:
    with serving(key=PLANTED, dies_at=1) as server:
        more = ("--engine-arg", "patience=0.3", "--engine-restarts", "1")
        trace = ended(quick, forks, over(server, *more))
    assert trace.code == 5
    assert "no server answers" in trace.stderr


def test_the_list_of_processes_has_no_key(quick: QuickJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SERVER_KEY", PLANTED)
    with serving(key=PLANTED, latency=3) as server:
        arguments = [sys.executable, "-m", "llmbatch", *over(server)]
        run = subprocess.Popen(arguments, cwd=quick.folder, env=environment())
        wait_for(lambda: bool(server.seen()["bodies"]))
        listed = [
            path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()
        ]
        run.kill()
        run.wait()
    assert any(server.url.encode() in line for line in listed)
    assert not any(PLANTED.encode() in line for line in listed)
    assert_in_no_file(quick)


def test_a_variable_that_is_not_set_is_named(quick: QuickJob, forks: Tracer) -> None:
    usual = ["in.csv", "-o", "out.jsonl", "-m", "m", "-p", "Say {{ text }}", "--engine", "openai"]
    given = ["--base-url", "http://localhost:9/v1", "--api-key-env", "NO_SUCH_KEY"]
    trace = forks.run(["run", *usual, *given], quick.folder, traced=False)
    assert trace.code == 2
    assert "--api-key-env NO_SUCH_KEY: there is no such environment variable" in trace.stderr
