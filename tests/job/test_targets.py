"""No file is written that is read, written as something else, or part of a store or a model."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmbatch.cli import eventlog, report_files
from llmbatch.cli.narration import Silent
from llmbatch.core.errors import UsageError
from llmbatch.engines import model_files
from llmbatch.job import file
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.run import preflight
from llmbatch.pipeline.run.preflight import CommandFiles

INPUT = b'{"t": "a"}\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "in.jsonl").write_bytes(INPUT)
    (tmp_path / "hard.jsonl").hardlink_to(tmp_path / "in.jsonl")
    (tmp_path / "soft.jsonl").symlink_to("in.jsonl")
    (tmp_path / "dangling.csv").symlink_to("nowhere")
    (tmp_path / "prompt.md").write_text("{{ t }}")
    (tmp_path / "schema.json").write_text("{}")
    (tmp_path / "model" / "part").mkdir(parents=True)
    (tmp_path / "link").symlink_to("model/part")
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def check(log: str | None = None, **given: Any) -> None:
    """As `run` and `plan` look at a job."""
    usual = {"input": "in.jsonl", "output": "out.jsonl", "model": "m", "prompt": "{{ t }}"}
    flags = usual | given
    spec: JobSpec = file.load(None, flags)
    beside = CommandFiles(file.sources(None, flags), report_files.targets(spec))
    if log is not None:
        eventlog.open_log(Path(log), spec, beside, Silent())
    preflight.make_ready(spec, beside)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"log": "in.jsonl"}, "event log in.jsonl: is the input"),
        ({"log": "hard.jsonl"}, "event log hard.jsonl: is the input"),
        ({"log": "soft.jsonl"}, "event log soft.jsonl: is the input"),
        ({"log": "there/../in.jsonl"}, "in.jsonl: is the input"),
        ({"log": "out.jsonl"}, "event log out.jsonl: is the output"),
        ({"log": "OUT.jsonl"}, "event log OUT.jsonl: is the output"),
        ({"log": "there/../out.jsonl"}, "out.jsonl: is the output"),
        ({"log": "out.errors.jsonl"}, "is the error file"),
        ({"log": "out.llmbatch"}, "event log out.llmbatch: is the state folder"),
        ({"log": "j.prom", "run": {"metrics_file": "j.prom"}}, "j.prom: is the metrics file"),
        ({"log": "r.md", "run": {"reports": ["r.md"]}}, "r.md: is the report"),
        ({"run": {"reports": ["r.md", "./r.md"]}}, "report r.md: is the report"),
        ({"prompt": "@prompt.md", "run": {"reports": ["prompt.md"]}}, "is the job file or one"),
        ({"system": "@prompt.md", "log": "prompt.md"}, "is the job file or one"),
        ({"answer": {"schema": "schema.json"}, "log": "schema.json"}, "is the job file or one"),
        ({"output": "hard.jsonl"}, "hard.jsonl: is the input; give the output another name"),
        ({"output": "out.llmbatch/out.jsonl", "state": "out.llmbatch"}, "no folder out.llmbatch"),
        ({"output": "there/out.jsonl", "state": "there"}, "lies in the state folder there"),
        ({"log": "there/journal", "state": "there"}, "event log there/journal: lies in the state"),
        ({"run": {"metrics_file": "there/x.prom"}, "state": "."}, "lies in the state folder"),
        ({"output": "model/out.jsonl", "model": "model"}, "lies in the folder of the model"),
        ({"output": "link/out.jsonl", "model": "./model"}, "lies in the folder of the model"),
        ({"state": "model/part/s", "model": "model"}, "is or lies in the folder of the model"),
        ({"state": "model", "model": "model"}, "is or lies in the folder of the model"),
        ({"state": "in.jsonl"}, "state folder in.jsonl: is the input"),
        ({"state": "soft.jsonl"}, "state folder soft.jsonl: is the input"),
        ({"state": "out.jsonl"}, "state folder out.jsonl: is the output"),
        ({"state": "prompt.md"}, "prompt.md: is a file; the state folder needs another name"),
        ({"run": {"reports": ["there/x/r.md"]}}, "report there/x/r.md: there is no folder"),
    ],
)
def test_what_must_not_be_written_is_told_before_anything_is_done(
    folder: Path, given: dict[str, Any], said: str
) -> None:
    before = sorted(folder.rglob("*"))
    with pytest.raises(UsageError) as caught:
        check(**given)
    assert said in str(caught.value)
    assert sorted(folder.rglob("*")) == before
    assert (folder / "in.jsonl").read_bytes() == INPUT


@pytest.mark.parametrize(
    "given",
    [
        {"log": "there/log", "run": {"metrics_file": "there/j.prom", "reports": ["r.md", "r.txt"]}},
        {"state": "there"},
        {"state": "there/state", "output": "there/out.csv"},
        {"output": "dangling.csv"},
        {"input": "-", "input_format": "csv", "output": "there/in.jsonl"},
        {"model": "model", "output": "there/out.jsonl"},
        {"log": "-"},
        {"log": "/dev/stderr"},
    ],
)
def test_what_may_be_written_passes(folder: Path, given: dict[str, Any]) -> None:
    before = sorted(folder.rglob("*"))
    check(**given)
    assert sorted(folder.rglob("*")) == before


def test_the_job_file_is_not_written_to(folder: Path) -> None:
    (folder / "job.toml").write_text('input = "in.jsonl"\nprompt = "@prompt.md"\nmodel = "m"\n')
    (folder / "there" / "link.toml").symlink_to("../job.toml")
    flags = {"output": "out.jsonl"}
    reads = file.sources(Path("there/link.toml"), flags)
    assert reads == [Path("there/link.toml"), Path("there/prompt.md")]
    spec = file.load(Path("job.toml"), flags)
    with pytest.raises(UsageError, match="is the job file or one"):
        eventlog.open_log(Path("job.toml"), spec, CommandFiles(reads[:1]), Silent())


@pytest.mark.skipif(os.getuid() == 0, reason="root may write anything")
def test_a_log_that_cannot_be_written_is_told_before_the_run(folder: Path) -> None:
    (folder / "log").touch(mode=0o400)
    with pytest.raises(UsageError, match="event log log: cannot be written"):
        check(log="log")


LONG = "x" * 252
NAMES = {
    "too long": (LONG, "File name too long"),
    "a path too long": (f"{'y' * 99}/" * 50 + "name", "File name too long"),
    "a loop of links": ("loop/name", "Too many levels of symbolic links"),
    "below a file": ("in.jsonl/name", "Not a directory"),
}
# With such an end.
PLACES: dict[str, Callable[[str], dict[str, Any]]] = {
    "input": lambda name: {"input": f"{name}.jsonl.csv"},
    "output": lambda name: {"output": f"{name}.jsonl.csv"},
    "state": lambda name: {"state": f"{name}.llmbatch"},
    "metrics file": lambda name: {"run": {"metrics_file": f"{name}.jsonl.prom"}},
    "report": lambda name: {"run": {"reports": [f"{name}.jsonl.html"]}},
    "event log": lambda name: {"log": f"{name}.jsonl.log"},
    "prompt": lambda name: {"prompt": f"@{name}.template"},
    "system": lambda name: {"system": f"@{name}.template"},
    "schema": lambda name: {"answer": {"schema": f"{name}.template"}},
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", NAMES)
def test_a_name_that_no_file_can_have_is_told(folder: Path, kind: str, place: str) -> None:
    (folder / "loop").symlink_to("loop")
    name, why = NAMES[kind]
    with pytest.raises(UsageError) as caught:
        check(**PLACES[place](name))
    assert why in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("model", ["loop/name", f"./{LONG}.jsonl.csv", f"{LONG}{LONG}/model"])
def test_a_model_that_no_folder_can_be_is_told(folder: Path, model: str) -> None:
    (folder / "loop").symlink_to("loop")
    check(model=model)  # which is looked at by the engine
    with pytest.raises(UsageError, match=r"File name too long|Too many levels"):
        model_files.local_folder(model)


def test_a_home_that_nobody_has_is_no_folder() -> None:
    with pytest.raises(UsageError, match="no such folder"):
        model_files.local_folder("~nobody-of-this-name/model")


@pytest.mark.parametrize("length", [246, 248, 249, 250])
def test_what_is_made_of_a_name_may_be_too_long_itself(folder: Path, length: int) -> None:
    """The error file and the state folder have longer names than the output."""
    what = "state folder" if length + len(".llmbatch") > 255 else "error file"
    with pytest.raises(UsageError, match=f"{what} x+.*: cannot be used: File name too long"):
        check(output="x" * length + ".csv")


FOREIGN = "not of llmbatch\n"


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("out.jsonl", {}),
        ("other.csv", {"output": "other.csv"}),
        ("other.tsv", {"output": "other.tsv"}),
        ("other.parquet", {"output": "other.parquet"}),
        ("out.errors.jsonl", {}),
        ("README.md", {"run": {"reports": ["README.md"]}}),
        ("notes.txt", {"run": {"reports": ["notes.txt"]}}),
        ("page.html", {"run": {"reports": ["page.html"]}}),
        ("settings.json", {"run": {"reports": ["settings.json"]}}),
        ("other.prom", {"run": {"metrics_file": "other.prom"}}),
        ("notes", {"log": "notes"}),
    ],
)
def test_a_file_of_somebody_else_is_not_written_to(
    folder: Path, name: str, given: dict[str, Any]
) -> None:
    path = folder / name
    path.write_text("")
    check(**given)  # what is empty is nobody's
    for foreign in (FOREIGN, '{"version": 1}\n', "<!doctype html><title>mine</title>", "\0\n"):
        path.write_text(foreign)
        with pytest.raises(UsageError) as caught:
            check(**given)
        said = f"{name}: exists and was not written by llmbatch; remove it, or give the "
        assert said in str(caught.value)
        assert path.read_text() == foreign
