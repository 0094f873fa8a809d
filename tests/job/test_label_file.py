"""Labels and descriptions from files, flags and job files."""

from pathlib import Path
from typing import Any

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.job import file

BASE = {"input": "i.csv", "output": "o.csv", "model": "m", "task": "classify", "prompt": "{{ t }}"}
EXPECTED = {"a b": "First, one", "c": ""}


def read(folder: Path, name: str, text: str, **flags: Any) -> dict[str, str]:
    (folder / name).write_text(text, encoding="utf-8")
    spec = file.load(None, BASE | {"classify": {"labels": str(folder / name)} | flags})
    return {label: spec.classify.descriptions.get(label, "") for label in spec.classify.labels}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("l.txt", "\ufeffa b\tFirst, one\n\nc\n"),
        ("l.csv", 'label,description\r\na b,"First, one"\r\nc\r\n'),
        ("l.CSV", 'description,Label\n"First,\none",a b\n,c\n'),
        ("l.tsv", "label\tdescription\na b\tFirst, one\nc\t\n"),
        ("l.json", '{"a b": "First, one", "c": ""}'),
        ("m.json", '[{"label": "a b", "description": "First, one"}, "c"]'),
        ("l.toml", '"a b" = "First, one"\nc = ""\n'),
        ("m.toml", 'labels = [{label = "a b", description = "First, one"}, "c"]\n'),
    ],
)
def test_a_file_of_any_form_gives_labels_and_descriptions(
    tmp_path: Path, name: str, text: str
) -> None:
    assert read(tmp_path, name, text) == EXPECTED


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("l.txt", "\n", "holds no label"),
        ("l.csv", "a\nb\n", "line 1: there is no column 'label'"),
        ("l.csv", "label,description\na,b,c\n", "line 2: has 3 cells, and the first line 2"),
        ("l.csv", "label,description\n,b\n", "line 2: the label is empty"),
        ("l.json", "[1]", "label 1: write a text"),
        ("l.json", "[", "Expecting value"),
        ("l.toml", "a = 1\n", "label 1"),
        ("l.xlsx", "", "labels stand in a file .txt, .csv"),
        ("l.txt", "a\na\n", "'a' is given twice"),
    ],
)
def test_a_fault_of_a_file_names_it(tmp_path: Path, name: str, text: str, reason: str) -> None:
    with pytest.raises(UsageError) as raised:
        read(tmp_path, name, text)
    assert reason in str(raised.value)
    assert "twice" in reason or name in str(raised.value)


def test_flags_add_labels_to_those_of_a_file(tmp_path: Path) -> None:
    found = read(tmp_path, "l.txt", "a b\tFirst, one\nc\n", label=["d = more = most", "e"])
    assert found == {**EXPECTED, "d": "more = most", "e": ""}


def test_labels_of_flags_take_the_place_of_a_job_files(tmp_path: Path) -> None:
    job = tmp_path / "job.toml"
    (tmp_path / "l.txt").write_text("x\ny\n")
    table = "".join(f'{name} = "{value}"\n' for name, value in BASE.items())
    job.write_text(f'{table}[classify]\nlabels = "l.txt"\ngold = "g"\n')
    assert file.load(job, {}).classify.labels == ("x", "y")
    assert tmp_path / "l.txt" in file.sources(job, {})
    spec = file.load(job, {"classify": {"label": ["a", "b=c"]}})
    assert (spec.classify.labels, spec.classify.gold) == (("a", "b"), "g")
    assert spec.classify.descriptions == {"b": "c"}


@pytest.mark.parametrize(
    ("classify", "reason"),
    [
        ({"labels": ["a", ""]}, "one is empty"),
        ({"labels": ["a\nb"]}, "more than one line"),
        ({"labels": ["a"], "descriptions": {"b": "c"}}, "there is no label 'b'"),
        ({"labels": [1]}, "must be texts"),
        ({"labels": {"a": 1}}, "must be texts"),
        ({"label": [1]}, "NAME=description"),
    ],
)
def test_labels_that_are_none_are_refused(classify: dict[str, Any], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        file.load(None, BASE | {"classify": classify})
