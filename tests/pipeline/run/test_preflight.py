"""Errors are found before anything is created, loaded or overwritten."""

from pathlib import Path
from typing import Any

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.job import folder as job_folder
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.run import preflight


def spec(folder: Path, **changes: Any) -> JobSpec:
    given = {"input": str(folder / "in.jsonl"), "output": str(folder / "out.jsonl")}
    return JobSpec.model_validate({"model": "m", "prompt": "{{ t }}"} | given | changes)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in.jsonl").write_text('{"t": "a"}\n')
    return tmp_path


def test_a_good_job_passes_and_leaves_no_trace(folder: Path) -> None:
    preflight.make_ready(spec(folder))
    assert [path.name for path in folder.iterdir()] == ["in.jsonl"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"prompt": "{{ t"}, "prompt, line 1"),
        ({"system": "{% if %}"}, "system prompt, line 1"),
        ({"answer": {"regex": "("}}, "regex"),
        ({"input": "-"}, "say which format stdin has"),
        ({"input": "/nowhere/in.csv"}, "no such file"),
        ({"output": "/nowhere/out.csv"}, "there is no folder /nowhere"),
        ({"output": "out.xyz"}, "out.xyz"),
    ],
)
def test_a_bad_job_is_refused(folder: Path, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        preflight.make_ready(spec(folder, **changes))
    assert said in str(caught.value)


def test_folders_are_neither_input_nor_output(folder: Path) -> None:
    (folder / "d.jsonl").mkdir()
    for place in ("input", "output"):
        with pytest.raises(UsageError, match="is a folder"):
            preflight.make_ready(spec(folder, **{place: str(folder / "d.jsonl")}))


@pytest.mark.parametrize("name", ["in.jsonl", "./in.jsonl", "link.jsonl"])
def test_the_output_must_not_replace_the_input(folder: Path, name: str) -> None:
    (folder / "link.jsonl").symlink_to(folder / "in.jsonl")
    with pytest.raises(UsageError, match="is the input"):
        preflight.make_ready(spec(folder, output=f"{folder}/{name}"))


def test_the_error_file_must_not_replace_the_input(folder: Path) -> None:
    """A corrected error file is fed back in, with the output's old name by mistake."""
    (folder / "out.errors.jsonl").write_text('{"t": "a"}\n')
    with pytest.raises(UsageError, match=r"out\.errors\.jsonl: is the input"):
        preflight.make_ready(spec(folder, input=str(folder / "out.errors.jsonl")))


@pytest.mark.parametrize("name", ["", "out.jsonl", "out.llmbatch", "out.llmbatch/status.json"])
def test_a_job_is_found_by_any_of_its_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    state = tmp_path / "out.llmbatch"
    state.mkdir()
    (state / "job.duckdb").touch()
    if name:
        assert job_folder.find(tmp_path / name).state == state
    else:
        monkeypatch.chdir(state)
        assert job_folder.find(Path()).state.resolve() == state


@pytest.mark.parametrize("name", [".", "/", "out.jsonl", "nowhere/out.jsonl"])
def test_a_job_that_is_not_there_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="no job found there"):
        job_folder.find(Path(name))
