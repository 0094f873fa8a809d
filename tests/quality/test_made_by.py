"""Versions change with all that can change an answer, and with nothing else."""

from dataclasses import replace

import pytest

from llmbatch.job.fields import Affects
from llmbatch.quality import made_by
from llmbatch.quality.made_by import MadeBy
from tests.pipeline.prompts.test_keys import ALTERNATIVES, declared, spec

SHAPING = [*declared(Affects.ANSWER), *declared(Affects.RENDERED)]
KEPT = made_by.identity({"fingerprint": "sha256:00", "name": "m"}, {"red": "sha256:abcdef0123"})


def versions(place: str = "", value: object = None) -> MadeBy:
    return made_by.of_job(spec(place, value), KEPT, "1.0")


@pytest.mark.parametrize("place", SHAPING)
def test_whatever_shapes_an_answer_changes_the_version_of_one_part(place: str) -> None:
    now, before = versions(place, ALTERNATIVES[place]), versions(place)
    parts = [part for part in made_by.PARTS if getattr(now, part) != getattr(before, part)]
    assert len(parts) == 1
    assert now.name != before.name


@pytest.mark.parametrize("place", declared(Affects.NEUTRAL))
def test_what_shapes_no_answer_changes_no_version(place: str) -> None:
    now, before = versions(place, ALTERNATIVES[place]), versions(place)
    same = dict.fromkeys(("model", "task"), None)
    named = {name: getattr(before, name) for name in ("rules", *same)}
    assert replace(now, **named) == before


def test_a_part_without_anything_has_no_version() -> None:
    made = versions()
    assert (made.examples, made.form, made.sampling, made.rules) == (None, None, None, None)
    assert made.template is not None
    assert made.adapters == {"red": "abcdef01"}


def test_the_name_covers_the_model_the_engine_and_the_version() -> None:
    made = versions()
    others = [
        made_by.of_job(spec(), made_by.identity({"fingerprint": "other"}, {}), "1.0"),
        made_by.of_job(spec(), KEPT, "1.1"),
        replace(made, engine="vllm"),
        replace(made, engine_version="2"),
        replace(made, rules="00000000"),
    ]
    assert len({made.name, *(other.name for other in others)}) == 6


def test_changes_are_told_by_name() -> None:
    before = versions()
    other = made_by.of_job(
        spec("prompt", "{{ u }}"), made_by.identity({"fingerprint": "sha256:11"}, {}), "1.0"
    )
    assert list(made_by.changes(other, before, 7)) == [
        f"the model under the name m is another one than at run 7 (fingerprint "
        f"{before.fingerprint} -> {other.fingerprint})",
        "the prompt changed since run 7",
        "an adapter changed since run 7",
    ]
    assert list(made_by.changes(versions("model", "n"), before, 7)) == [
        "the model is another one than run 7's (m)"
    ]
    assert list(made_by.changes(before, before, 7)) == []


def test_of_an_older_run_the_model_is_not_known_and_not_told() -> None:
    unknown = made_by.of_job(spec(), {}, "1.0")
    assert unknown.fingerprint is None
    known = made_by.of_job(spec(), made_by.identity({"fingerprint": "a"}, {}), "1.0")
    assert list(made_by.changes(known, unknown, 1)) == []
