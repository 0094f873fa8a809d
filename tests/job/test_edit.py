"""Engine settings in a job file: everything else stays as its user wrote it."""

import os
import tomllib
from pathlib import Path

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.job import edit

JOB = """\
# mine
input = "in.csv" # the rows

[engine] # how fast
max_num_seqs = 64 # not more
enforce_eager = true

# what it costs
[cost]
price_per_hour = 0.40
"""
NOTE = "2026-11-21: 10 -> 12 tokens/s"


def test_values_change_and_come_and_all_else_stays() -> None:
    text = edit.with_options(JOB, {"max_num_seqs": 128, "block_size": 64}, NOTE)
    assert text == JOB.replace(
        "[engine] # how fast\nmax_num_seqs = 64 # not more\nenforce_eager = true\n",
        "[engine] # how fast\n# llmbatch tune, 2026-11-21: 10 -> 12 tokens/s\n"
        "block_size = 64\nmax_num_seqs = 128 # not more\nenforce_eager = true\n",
    )


def test_the_note_takes_the_place_of_a_former_one() -> None:
    once = edit.with_options(JOB, {"max_num_seqs": 128}, "2025-01-01: old")
    again = edit.with_options(once, {"max_num_seqs": 128}, NOTE)
    assert again.count("# llmbatch tune, ") == 1
    assert f"# llmbatch tune, {NOTE}\n" in again


@pytest.mark.parametrize(
    "text",
    [
        'a = 1\n\n[cost]\nx = "y"\n',
        "a = 1\n[engine.sub]\nx = 1\n[cost]\nx = 2\n",
        "a = 1\nengine = { max_num_seqs = 64 } # inline\n",
        "engine.max_num_seqs = 64 # dotted\na = 1\n",
        '[ engine ]\r\nmax_num_seqs = 64\r\n\r\n[cost]\r\nx = "y"\r\n',
        'prompt = """\n[engine]\n# llmbatch tune, x\n"""\n[engine]\nmax_num_seqs = 64\n',
        "",
    ],
)
def test_a_table_in_any_form(text: str) -> None:
    expected = tomllib.loads(text)
    expected["engine"] = expected.get("engine", {}) | {"max_num_seqs": 128, "eager": False}
    changed = edit.with_options(text, {"max_num_seqs": 128, "eager": False}, NOTE)
    assert tomllib.loads(changed) == expected
    assert changed.count("#") >= text.count("#")


def test_an_option_that_is_written_with_dashes() -> None:
    changed = edit.with_options("[engine]\nmax-num-seqs = 64\n", {"max_num_seqs": 1}, NOTE)
    assert tomllib.loads(changed) == {"engine": {"max-num-seqs": 1}}


def test_a_link_and_the_rights_of_the_file_stay(tmp_path: Path) -> None:
    real, link = tmp_path / "real.toml", tmp_path / "job.toml"
    real.write_text(JOB)
    real.chmod(0o640)
    link.symlink_to(real)
    edit.set_engine_options(link, {"max_num_seqs": 128}, NOTE)
    assert link.is_symlink()
    assert "max_num_seqs = 128" in real.read_text()
    assert real.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["job.toml", "real.toml"]


def test_a_file_that_has_become_something_else_is_left_alone(tmp_path: Path) -> None:
    job = tmp_path / "job.toml"
    job.write_text("[engine\n")
    with pytest.raises(UsageError, match="is not TOML any more"):
        edit.set_engine_options(job, {"max_num_seqs": 128}, NOTE)
    assert job.read_text() == "[engine\n"


def test_a_file_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written: No such file"):
        edit.set_engine_options(tmp_path / "job.toml", {"a": 1}, NOTE)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anything")
def test_a_file_that_may_not_be_written(tmp_path: Path) -> None:
    job = tmp_path / "job.toml"
    job.write_text(JOB)
    job.chmod(0o400)
    with pytest.raises(UsageError, match="cannot be written"):
        edit.check_writable(job)
