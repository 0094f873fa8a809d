"""The samples can be had from an installed llmbatch, and nothing is written over."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from llmbatch.cli.commands import samples
from llmbatch.cli.main import cli
from llmbatch.core.errors import UsageError

ROOT = Path(__file__).parents[2]


def test_the_samples_are_copied_and_their_job_can_be_loaded(tmp_path: Path) -> None:
    from llmbatch.job import file

    folder = tmp_path / "s"
    done = CliRunner().invoke(cli, ["samples", str(folder)], standalone_mode=False)
    assert f"llmbatch run {folder}/tickets/job.toml" in done.output
    spec = file.load(folder / "tickets/job.toml", {})
    assert Path(str(spec.input.files[0] if hasattr(spec.input, "files") else spec.input)).exists()
    assert (Path(spec.model) / "model.safetensors").exists()
    copied = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    assert Path("cron/nightly.sh") in copied
    assert not [path for path in copied if "__pycache__" in path.parts]


def test_a_folder_that_holds_something_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("")
    with pytest.raises(UsageError, match="is there already"):
        samples.copy(tmp_path)
    with pytest.raises(UsageError, match="is there already"):
        samples.copy(tmp_path / "mine")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_an_empty_folder_is_filled(tmp_path: Path) -> None:
    samples.copy(tmp_path)
    assert (tmp_path / "tickets/job.toml").exists()
