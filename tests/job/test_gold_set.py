"""The table [eval]: the least figures as they may be written, and a gold file beside a column."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from llmbatch.core.errors import UsageError
from llmbatch.job import file
from llmbatch.job.gold_set import GoldSetSpec, names_file


@pytest.mark.parametrize(
    "given",
    [
        {"accuracy": 0.95, "f1": 0.9},
        {"accuracy": "95%", "f1": "0.9"},
        "accuracy=0.95, f1=90 %",
        ["accuracy=95%", "f1=0.9"],
    ],
)
def test_least_figures_are_read_in_every_form(given: Any) -> None:
    read = GoldSetSpec.model_validate({"min": given})
    assert read.min == {"accuracy": 0.95, "f1": 0.9}
    assert read.is_gate
    assert GoldSetSpec.model_validate(read.model_dump(mode="json")) == read


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("accuracy", "'accuracy': write a figure and its least value: accuracy=0.95"),
        ("=1", "'=1': write a figure"),
        ("accuracy=high", "the least value of accuracy is a number"),
        ({"accuracy": True}, "the least value of accuracy is a number"),
        ("accuracy=nan", "the least value of accuracy is a number"),
        ("a=1,a=2", "names a twice"),
    ],
)
def test_other_least_figures_are_refused(given: Any, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        GoldSetSpec.model_validate({"min": given})


def test_200_rows_run_first_by_default_and_without_least_figures_nothing_is_decided() -> None:
    assert (GoldSetSpec().rows_first, GoldSetSpec(first=7).rows_first) == (200, 7)
    assert not GoldSetSpec(gold="label").is_gate


def test_a_file_is_known_by_its_name_or_by_being_there(tmp_path: Path) -> None:
    (tmp_path / "answers").write_text("")
    assert names_file("gold.csv")
    assert names_file("gold.jsonl.gz")
    assert names_file("sets/gold")
    assert names_file("answers", tmp_path)
    assert not names_file("label", tmp_path)
    assert not names_file("label.of.mine" + "x" * 5_000, tmp_path)


def test_the_gold_file_of_a_job_file_lies_in_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "job.toml"
    text = 'input = "a.csv"\noutput = "o.csv"\nmodel = "m"\nprompt = "p"\n[eval]\ngold = "{}"\n'
    path.write_text(text.format("gold.csv"))
    assert file.load(path, {}).eval.gold == str(tmp_path / "gold.csv")
    path.write_text(text.format("label"))
    assert file.load(path, {}).eval.gold == "label"
    with pytest.raises(UsageError, match=r"unknown key 'eval.fist' \(did you mean 'first'"):
        file.load(path, {"eval": {"fist": 3}})
