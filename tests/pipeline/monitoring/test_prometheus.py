"""The metrics file: whole, well-formed, and never in the way."""

from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from llmbatch.core.errors import UsageError
from llmbatch.job import folder
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.monitoring import prometheus
from llmbatch.pipeline.monitoring.prometheus import MetricsFile
from llmbatch.pipeline.run import preflight

VIEW: dict[str, Any] = {
    "phase": "generating",
    "started_at": "2026-11-21T20:00:00.000+00:00",
    "updated_at": "2026-11-21T20:00:10.500+00:00",
    "elapsed_seconds": 10.5,
    "rows": {"answered": 5, "failed": 1, "pending": 4, "rejected": 2},
    "progress": {"prompt_tokens": 70, "cached_tokens": 30, "output_tokens": 9, "cache_usage": None},
    "cost": 0.25,
    "currency": "EUR",
    "projected_cost": None,
    "resources": None,
}
END = {"phase": "ended", "exit_code": 3, "updated_at": "2026-11-21T21:00:00.000+00:00"}


def spec(file: object, **more: Any) -> JobSpec:
    table = {"input": "in.csv", "output": "out.jsonl", "model": "m", "prompt": "p"}
    return JobSpec.model_validate(table | {"run": {"metrics_file": str(file)}} | more)


def kept(path: Path, told: list[str] | None = None, **more: Any) -> MetricsFile:
    warn = (told if told is not None else []).append
    job = spec(path, **more)
    made = prometheus.metrics_file(job, folder.paths_for(job), "host", warn)
    assert made is not None
    return made


def samples(path: Path) -> dict[tuple[str, ...], float]:
    """Values by the name of the metric and the values of its labels but `job_name`."""
    return {
        (sample.name, *(text for name, text in sample.labels.items() if name != "job_name")): (
            sample.value
        )
        for family in text_string_to_metric_families(path.read_text())
        for sample in family.samples
    }


def test_what_is_known_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "job.prom"
    kept(path).show(VIEW, at_once=True)
    found = samples(path)
    assert found["llmbatch_rows", "pending"] == 4
    assert found["llmbatch_rows", "rejected"] == 2
    assert found["llmbatch_cost_total", "EUR"] == 0.25
    assert found["llmbatch_run_phase", "generating"] == 1
    assert found["llmbatch_prompt_tokens_total",] == 70
    assert found["llmbatch_run_update_timestamp_seconds",] == 1795291210.5
    assert found["llmbatch_run_duration_seconds",] == 10.5


def test_what_is_not_known_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "job.prom"
    kept(path).show({name: VIEW[name] for name in ("phase", "updated_at")}, at_once=True)
    names = {name for name, *_ in samples(path)}
    assert names == {
        "llmbatch_run_info",
        "llmbatch_run_phase",
        "llmbatch_run_update_timestamp_seconds",
    }
    assert path.read_text().count("# HELP") == len(names)


def test_amounts_that_only_grow_are_counters(tmp_path: Path) -> None:
    path = tmp_path / "job.prom"
    kept(path).show(VIEW, at_once=True)
    text = path.read_text()
    assert "# TYPE llmbatch_cost_total counter\n" in text
    assert "# TYPE llmbatch_output_tokens_total counter\n" in text
    assert "# TYPE llmbatch_rows gauge\n" in text
    assert "_created" not in text


def test_an_end_tells_how_it_was(tmp_path: Path) -> None:
    path = tmp_path / "job.prom"
    kept(path).show(VIEW | END, at_once=True)
    found = samples(path)
    assert found["llmbatch_run_exit_code",] == 3
    assert found["llmbatch_run_success",] == 0
    assert found["llmbatch_run_end_timestamp_seconds",] == 1795294800
    assert ("llmbatch_last_success_timestamp_seconds",) not in found


def test_the_last_success_outlives_failures(tmp_path: Path) -> None:
    path = tmp_path / "job.prom"
    kept(path).show(VIEW | END | {"exit_code": 0}, at_once=True)
    for view in (VIEW, VIEW | END | {"updated_at": "2026-11-22T21:00:00.000+00:00"}):
        kept(path).show(view, at_once=True)
        assert samples(path)["llmbatch_last_success_timestamp_seconds",] == 1795294800
    # The store knows better than the file.
    kept(path).show(VIEW | {"last_success_at": "2026-11-21T22:00:00.000+00:00"}, at_once=True)
    assert samples(path)["llmbatch_last_success_timestamp_seconds",] == 1795298400


@pytest.mark.parametrize("name", ['a "quoted" one', "two\nlines", "back\\slash", "ünïcode {x}"])
def test_any_name_can_be_a_label(tmp_path: Path, name: str) -> None:
    path = tmp_path / "job.prom"
    kept(path, model=name, output=f"{name}.jsonl").show(VIEW, at_once=True)
    families = list(text_string_to_metric_families(path.read_text()))
    (info,) = next(each.samples for each in families if each.name == "llmbatch_run_info")
    assert (info.labels["model"], info.labels["output"]) == (name, f"{name}.jsonl")
    assert {sample.labels["job_name"] for family in families for sample in family.samples} == {
        f"{name}.jsonl"
    }


def test_a_name_that_is_no_text_is_told_in_escapes(tmp_path: Path) -> None:
    path = tmp_path / "job.prom"
    kept(path, model="bytes \udcff").show(VIEW, at_once=True)
    assert any(labels[0] == "llmbatch_run_info" for labels in samples(path))


def test_it_is_not_written_all_the_time(tmp_path: Path) -> None:
    path = tmp_path / "job.prom"
    file = kept(path)
    file.show(VIEW, at_once=False)
    first = path.stat().st_mtime_ns
    for _ in range(50):
        file.show(VIEW | {"phase": "planning"}, at_once=False)
    assert path.stat().st_mtime_ns == first
    file.show(VIEW | {"phase": "planning"}, at_once=True)
    assert ("llmbatch_run_phase", "planning") in samples(path)


def test_a_collector_of_another_user_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "job.prom"
    plain = tmp_path / "plain"
    plain.write_text("")
    kept(path).show(VIEW, at_once=True)
    assert path.stat().st_mode == plain.stat().st_mode
    assert [each.name for each in tmp_path.glob("*.prom")] == ["job.prom"]


def test_a_file_that_cannot_be_written_is_told_once(tmp_path: Path) -> None:
    told: list[str] = []
    path = tmp_path / "folder" / "job.prom"
    file = kept(path, told)
    for _ in range(3):
        file.show(VIEW, at_once=True)
    assert told == [f"warning: {path}: cannot be written: No such file or directory"]
    path.parent.mkdir()
    file.show(VIEW, at_once=True)
    assert samples(path)


def test_a_damaged_file_of_before_is_written_over(tmp_path: Path) -> None:
    path = tmp_path / "job.prom"
    path.write_bytes(b"llmbatch_last_success_timestamp_seconds{} nonsense\n\xff")
    kept(path).show(VIEW, at_once=True)
    assert samples(path)


def test_without_a_wish_there_is_none() -> None:
    table = {"input": "in.csv", "output": "out.jsonl", "model": "m", "prompt": "p"}
    job = JobSpec.model_validate(table)
    assert prometheus.metrics_file(job, folder.paths_for(job), "host", print) is None


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("job.txt", "must end in .prom"),
        ("folder.prom", "is a folder"),
        ("nowhere/job.prom", "there is no folder"),
    ],
)
def test_a_place_that_will_not_do_is_told_before_anything(
    tmp_path: Path, name: str, reason: str
) -> None:
    (tmp_path / "folder.prom").mkdir()
    (tmp_path / "in.csv").write_text("id\n1\n")
    places = {"input": str(tmp_path / "in.csv"), "output": str(tmp_path / "out.jsonl")}
    with pytest.raises(UsageError, match=reason):
        preflight.make_ready(spec(tmp_path / name, **places))
    preflight.make_ready(spec(tmp_path / "job.prom", **places))
