"""A wrong value is answered in words of ours: the flag or key, what it takes, the nearest."""

import copy
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from llmbatch.core.errors import UsageError
from llmbatch.job import expected, file
from llmbatch.job.fields import leaves
from llmbatch.job.spec import JobSpec

NEEDED = {"input": {"files": ["a.csv"]}, "output": "o.jsonl", "model": "m", "prompt": "p"}
FIELDS = dict(leaves(JobSpec))
# Of the library that reads a job, and of Python.
THEIRS = re.compile(
    r"Input should|should have|validation|valid (string|integer|number|tuple|dict|boolean)|"
    r"unable to|literal|constrained|pydantic|\bNone\b|\bTrue\b|<class|\[type="
)
WRONG: tuple[Any, ...] = ("nonsense", "", "1e999", [], [1], {}, {"a": 1}, 1.5, -1, True, 10**12)


def wrong(key: str, value: Any) -> str | None:
    """The words about a value for a key; None if it is taken."""
    table: dict[str, Any] = copy.deepcopy(NEEDED)
    inner = table
    *sections, name = key.split(".")
    for section in sections:
        inner = inner.setdefault(section, {})
    inner[name] = value
    try:
        file.load(None, table)
    except UsageError as error:
        return str(error)
    return None


@pytest.mark.parametrize("key", FIELDS)
def test_no_wrong_value_is_answered_in_words_of_a_library(key: str) -> None:
    said = [words for value in WRONG if (words := wrong(key, value)) is not None]
    assert said, "there is no wrong value among them"
    assert [words for words in said if THEIRS.search(words) or "\n" in words] == []


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("sampling.max_tokens", "many", "--max-tokens: must be a whole number, 1 or more"),
        ("sampling.max_tokens", 2**40, "from 1 to 2,147,483,647 (got 1099511627776)"),
        ("sampling.temperature", 3, "--temperature: must be a number from 0 to 2 (got 3)"),
        ("sampling.top_p", 0, "--top-p: must be a number above 0, 1 at most (got 0)"),
        ("meta", "maybe", "--meta: must be true or false (got 'maybe')"),
        ("run.if_locked", "skipp", "must be 'fail', 'skip' or 'wait' (did you mean 'skip'?)"),
        ("template.thinking", "of", "must be 'off', 'on' or a whole number, 1 or more (did you"),
        ("require", "text", "--require: must be a list of texts, such as"),
        ("answer.choice", [1], "--choice: must be a list of texts"),
        ("answer.choice", [], "--choice: must not be empty"),
        ("run.grace", "soon", "--grace: write a span of time: 20s, 5m, 2h or 1h30m"),
        ("run.grace", -1, "--grace: must be from 0 to 1,000,000,000 seconds (got -1)"),
        ("run.checkpoint_seconds", "2h", "above 0, 3,600 seconds at most (got 7200.0)"),
        ("run.deadline", "soon", "--deadline: write a time of day (06:00) or a span of time"),
    ],
)
def test_the_words_say_what_is_taken(key: str, value: Any, words: str) -> None:
    assert words in (wrong(key, value) or "")


@pytest.mark.parametrize("key", ["run.grace", "run.stall_timeout", "run.checkpoint_seconds"])
@pytest.mark.parametrize(("value", "seconds"), [("90s", 90), ("1m30s", 90), ("90", 90), (90, 90)])
def test_spans_of_time_have_the_same_forms(key: str, value: Any, seconds: float) -> None:
    section, _, name = key.partition(".")
    spec = file.load(None, {**NEEDED, section: {name: value}})
    assert getattr(spec.run, name) == seconds


def test_a_deadline_has_them_too() -> None:
    for value in ("2h", "120m", "7200", 7200):
        assert file.load(None, {**NEEDED, "run": {"deadline": value}}).run.deadline


def test_what_is_missing_is_named_together(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="model, prompt and input are missing; give them by flag"):
        file.load(None, {"output": "o.jsonl"})
    job = tmp_path / "job.toml"
    job.write_text('input = "a.csv"\noutput = "o.csv"\nmodel = "m"\n')
    with pytest.raises(UsageError, match=r"job.toml: prompt is missing; give it by flag"):
        file.load(job, {})


def test_a_table_that_is_none_is_named() -> None:
    assert "must be a table" in (wrong("sampling", 3) or "")


def test_a_fault_of_a_kind_that_is_not_known_is_described_by_its_field() -> None:
    class Odd(BaseModel):
        size: int = 0

    with pytest.raises(ValidationError) as raised:
        Odd.model_validate({"size": "x"})
    (fault,) = expected.faults(raised.value, Odd)
    assert expected.words(fault | {"type": "new"}, Odd) == "must be a whole number (got 'x')"
