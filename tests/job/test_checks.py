"""The rules of a job, by tables and by flags."""

from pathlib import Path
from typing import Any

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.job import file
from llmbatch.job.checks import CheckRule

JOB = 'input = "in.csv"\noutput = "out.jsonl"\nmodel = "m"\nprompt = "{{ text }}"\n'


def rules(folder: Path, text: str, flags: Any = ()) -> tuple[CheckRule, ...]:
    (folder / "job.toml").write_text(JOB + text)
    return file.load(folder / "job.toml", {"check": list(flags)} if flags else {}).check


def test_tables_are_rules_in_their_order(tmp_path: Path) -> None:
    text = (
        '[[check]]\nname = "sum"\nrule = "a = b"\non_fail = "flag"\nmessage = "odd"\n'
        '[[check]]\nname = "id"\nrule = "c"\n'
    )
    assert rules(tmp_path, text) == (
        CheckRule(name="sum", rule="a = b", on_fail="flag", message="odd"),
        CheckRule(name="id", rule="c"),
    )


def test_a_flag_adds_a_rule_or_takes_the_place_of_one_of_its_name(tmp_path: Path) -> None:
    text = '[[check]]\nname = "sum"\nrule = "a = b"\n[[check]]\nname = "id"\nrule = "c"\n'
    found = rules(tmp_path, text, ["Sum: x ->> 'a:b' = 'c'", "new: d"])
    assert [(one.name, one.rule) for one in found] == [
        ("id", "c"),
        ("Sum", "x ->> 'a:b' = 'c'"),
        ("new", "d"),
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[[check]]\nname = "a"\n', "rule 1: rule is missing"),
        ('[[check]]\nname = "a"\nrule = "b"\nonfail = "flag"\n', "(did you mean 'on_fail'?)"),
        ('[[check]]\nname = "a"\nrule = "b"\non_fail = "flags"\n', "(did you mean 'flag'?)"),
        ('[[check]]\nname = "a: b"\nrule = "b"\n', "cannot be used"),
        ('[[check]]\nname = "a"\nrule = 3\n', "rule must be a text that is not empty"),
        ('[check]\nname = "a"\n', "rule 1: rule is missing"),
        ('check = ["response"]\n', "has no name: write NAME: RULE"),
        ("check = 3\n", "must be tables [[check]]"),
        (
            '[[check]]\nname = "a"\nrule = "b"\n[[check]]\nname = "A"\nrule = "c"\n',
            "rules 1 and 2 have one name, 'A'",
        ),
    ],
)
def test_what_is_no_rule_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        rules(tmp_path, text)
    assert words in str(caught.value)
    assert "job.toml: check: " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_kept_spec_has_its_rules(tmp_path: Path) -> None:
    spec = file.load(None, {"input": "a.csv", "output": "o.jsonl", "model": "m", "prompt": "p",
                            "check": ["a: b"]})  # fmt: skip
    assert (
        type(spec).model_validate(spec.model_dump(mode="json", by_alias=True)).check == spec.check
    )
