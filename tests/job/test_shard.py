"""The names of shards, and the jobs that have none."""

import os
from pathlib import Path

import pytest

from llmbatch.core.errors import UsageError
from llmbatch.job import shard
from llmbatch.job.shard import Shard
from llmbatch.job.spec import JobSpec


def spec(**more: object) -> JobSpec:
    needed = {"input": "in.csv", "output": "d/out.csv", "model": "m", "prompt": "{{ t }}"}
    return JobSpec.model_validate(needed | {"run": {"shard": "2/8"}} | more)


def test_all_that_a_shard_writes_has_a_name_of_its_own() -> None:
    run = {"shard": "2/8", "reports": ["r.md"], "metrics_file": "m.prom"}
    made = shard.apart(spec(run=run, state="kept.llmbatch"))
    assert made.output == "d/out-shard-2-of-8.csv"
    assert made.state == "kept-shard-2-of-8.llmbatch"
    assert made.run.reports == ("r-shard-2-of-8.md",)
    assert made.run.metrics_file == "m-shard-2-of-8.prom"
    assert shard.whole_name(made.output) == "d/out.csv"
    assert shard.whole_name("d/out.csv") == "d/out.csv"


def test_standard_output_has_no_name_of_its_own() -> None:
    assert shard.apart(spec(output="-", state="s")).output == "-"


def test_a_job_without_shards_stays_as_it_is() -> None:
    whole = spec(run={})
    assert shard.apart(whole) is whole
    assert Shard.of(whole) is None
    assert Shard.of(spec()) == (2, 8)


def test_several_models_have_no_shards() -> None:
    models = [{"model": "small", "escalate_below": 0.5}, {"model": "large"}]
    labels = {"task": "classify", "classify": {"labels": ["a", "b"]}}
    with pytest.raises(UsageError, match="not with several models"):
        shard.check(spec(stages=models, **labels))


def test_the_shards_of_the_newest_division_are_found_by_number(tmp_path: Path) -> None:
    for name in (
        "out-shard-1-of-2",
        "out-shard-10-of-11",
        "out-shard-2-of-11",
        "other-shard-1-of-11",
    ):
        state = tmp_path / f"{name}.llmbatch"
        state.mkdir()
        (state / "journal").write_bytes(b"")
        os.utime(state, (0, 0 if name.endswith("of-2") else 1))
    (tmp_path / "out-shard-3-of-11.llmbatch").mkdir()  # holds no job
    found = shard.states(tmp_path / "out.llmbatch")
    assert [path.stem for path in found] == ["out-shard-2-of-11", "out-shard-10-of-11"]
    assert shard.states(tmp_path / "none.llmbatch") == []
