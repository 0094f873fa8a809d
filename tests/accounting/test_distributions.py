"""Distributions and the timeline of a report: nothing is lost or made up in binning and merging."""

import random
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.accounting import distributions
from llmbatch.accounting.timeline import ChunkLine, Point
from llmbatch.core import latency_histogram
from llmbatch.reports.html.figures_over_time import merged_chunks, merged_points
from llmbatch.store.opening import open_store
from tests.cli.reported import work

COUNTED = st.dictionaries(st.integers(0, 200_000), st.integers(1, 5_000), min_size=1, max_size=80)


@given(COUNTED)
def test_every_length_is_in_the_bin_between_whose_edges_it_lies(counted: dict[int, int]) -> None:
    held = distributions.lengths(counted)
    assert held is not None
    assert len(held.edges) == len(held.counts) + 1
    assert all(low < high for low, high in pairwise(held.edges))
    for (low, high), count in zip(pairwise(held.edges), held.counts, strict=True):
        assert count == sum(n for value, n in counted.items() if low <= value < high)
    assert sum(held.counts) == sum(counted.values())
    assert len(held.counts) <= 70


@given(COUNTED)
def test_quantiles_are_those_of_the_values(counted: dict[int, int]) -> None:
    held = distributions.lengths(counted)
    assert held is not None
    values = sorted(value for value, count in counted.items() for _ in range(count))
    for share, found in ((0.5, held.p50), (0.9, held.p90), (0.99, held.p99)):
        assert sum(value <= found for value in values) >= share * len(values)
        assert sum(value < found for value in values) < share * len(values)
    assert held.largest == values[-1]
    assert held.mean == pytest.approx(sum(values) / len(values))


def test_a_few_long_answers_do_not_put_all_others_into_one_bin() -> None:
    held = distributions.lengths({3: 500, 4: 400, 5: 300, 8: 50, 30_000: 1})
    assert held is not None
    assert max(held.counts) <= 500
    even = distributions.lengths({100: 5, 150: 5, 199: 5})
    assert even is not None
    assert {high - low for low, high in pairwise(even.edges)} == {5.0}


def test_no_answers_have_no_histogram() -> None:
    assert distributions.lengths({}) is None
    assert distributions.waits(latency_histogram.empty()) is None
    assert distributions.waits([]) is None


@given(st.lists(st.floats(1e-4, 2e6), min_size=1, max_size=200))
def test_waits_are_counted_between_the_bins_that_are_filled(seconds: list[float]) -> None:
    counts = latency_histogram.empty()
    for each in seconds:
        counts[latency_histogram.bin_of(each)] += 1
    held = distributions.waits(counts)
    assert held is not None
    assert sum(held.counts) == len(seconds)
    assert held.counts[0] > 0
    assert held.counts[-1] > 0
    assert len(held.edges) == len(held.counts) + 1
    assert all(low < high for low, high in pairwise(held.edges))
    assert held.edges[0] <= held.p50 <= held.p90 <= held.p99 <= held.largest == held.edges[-1]
    assert held.edges[0] <= held.mean <= held.edges[-1]


POINT = st.tuples(st.floats(0.01, 100), st.floats(0, 1e6), st.floats(0, 1e6))


@given(st.lists(POINT, min_size=1, max_size=120), st.integers(1, 50))
def test_merged_points_hold_the_same_rows_and_seconds(
    drawn: list[tuple[float, float, float]], most: int
) -> None:
    points, at = [], 0.0
    for seconds, rows, tokens in drawn:
        at += seconds
        points.append(Point(at, seconds, rows, tokens, tokens, 0.5, 3.0))
    merged = merged_points(points, most)
    assert len(merged) <= most
    assert merged[-1].at == points[-1].at
    for name in ("rows", "prompt_tokens", "cache_usage"):
        before = sum(getattr(point, name) * point.seconds for point in points)
        after = sum(getattr(point, name) * point.seconds for point in merged)
        assert after == pytest.approx(before)


def test_merged_chunks_span_their_members() -> None:
    lines = [ChunkLine(n, float(n), n + 2.0, 10, n % 2) for n in range(10)]
    merged = merged_chunks(lines, 3)
    assert [(line.chunk, line.chunks, line.requests, line.failed) for line in merged] == [
        (0, 4, 40, 2),
        (4, 4, 40, 2),
        (8, 2, 20, 1),
    ]
    assert (merged[0].first_at, merged[0].last_at) == (0.0, 5.0)


def test_the_points_of_a_run_hold_all_its_rows_and_tokens(tmp_path: Path) -> None:
    rows = [f"row {n % 40} of some" for n in range(60)] + ["LENGTH x"]
    options = {"die_after": 15, "die_times": 1, "start_delay": 0.3, "delay": 0.002, "window": 4}
    report = work(tmp_path, rows, engine=options, run={"checkpoint_rows": 5})
    line = report.details.timeline
    assert line is not None
    for name, wanted in (
        ("rows", 61),
        ("prompt_tokens", report.last_run.prompt_tokens),
        ("output_tokens", report.last_run.output_tokens),
    ):
        held = sum(getattr(point, name) * point.seconds for point in line.points)
        assert held == pytest.approx(wanted), name
    assert line.seconds == report.last_run.seconds
    assert all(0 < point.at <= line.seconds for point in line.points)


def test_no_point_spans_the_restart_of_an_engine(tmp_path: Path) -> None:
    options = {"die_after": 10, "die_times": 2, "start_delay": 0.3, "delay": 0.005}
    report = work(tmp_path, [f"row {n}" for n in range(35)], engine=options)
    line = report.details.timeline
    assert line is not None
    kinds = [mark.kind for mark in line.marks if mark.kind != "checkpoint"]
    died, restarted = "engine died", "engine restarted"
    assert kinds == ["engine ready", died, restarted, died, restarted, "ended"]
    assert [mark.at for mark in line.marks] == sorted(mark.at for mark in line.marks)
    ready = [mark.at for mark in line.marks if mark.kind in ("engine ready", restarted)]
    assert len(line.points) == 3
    for point, began in zip(line.points, ready, strict=True):
        # The clock of the checkpoints is the wall's, to the microsecond.
        assert point.at - point.seconds == pytest.approx(began, abs=1e-5)


def test_a_run_that_was_stopped_says_so(tmp_path: Path) -> None:
    report = work(tmp_path, [f"row {n}" for n in range(9)], run={"max_rows": 4})
    line = report.details.timeline
    assert line is not None
    last = line.marks[-1]
    assert (last.kind, last.at) == ("stopped", line.seconds)
    assert last.text == report.runs[-1].reason


def test_chunks_are_slices_of_the_planned_order(tmp_path: Path) -> None:
    rows = [f"{n:03}" for n in range(20)] + ["008", "019 FAIL:too_long", "LENGTH x"]
    report = work(tmp_path, rows, run={"chunk_size": 5, "checkpoint_rows": 1})
    line = report.details.timeline
    assert line is not None
    told = [(chunk.chunk, chunk.chunks, chunk.requests, chunk.failed) for chunk in line.chunks]
    assert told == [(0, 1, 5, 0), (1, 1, 5, 0), (2, 1, 5, 0), (3, 1, 5, 1), (4, 1, 2, 1)]
    assert all(0 < chunk.first_at <= chunk.last_at <= line.seconds for chunk in line.chunks)


def test_many_chunks_and_checkpoints_are_merged(tmp_path: Path) -> None:
    rows = [f"{n:04}" for n in range(411)]
    report = work(tmp_path, rows, run={"chunk_size": 2, "checkpoint_rows": 1})
    line = report.details.timeline
    assert line is not None
    assert report.runs[-1].checkpoints > 300
    assert len(line.chunks) <= 200
    assert sum(chunk.requests for chunk in line.chunks) == 411
    assert sum(chunk.chunks for chunk in line.chunks) == 206
    assert len(line.points) <= 301
    assert sum(point.rows * point.seconds for point in line.points) == pytest.approx(411)
    assert sum(mark.kind == "checkpoint" for mark in line.marks) <= 200


def test_examples_of_failures_have_different_messages_first(tmp_path: Path) -> None:
    rows = ["a", *["FAIL:too_long"] * 5, *(f"{n} " * (7 - n) + "words too many" for n in range(3))]
    report = work(tmp_path, rows, engine={"max_model_len": 7})
    told = [
        (each.kind, each.id, each.line, each.message) for each in report.details.failure_examples
    ]
    assert [each[:3] for each in told] == [
        ("too_long", "2", 2),
        ("too_long", "7", 7),
        ("too_long", "8", 8),
    ]
    assert len({message for *_, message in told}) == 3


def test_a_job_without_work_has_no_details(tmp_path: Path) -> None:
    report = work(tmp_path, ["a", "b"])
    with open_store(tmp_path / "out.llmbatch/job.duckdb", read_only=True) as db:
        nothing = distributions.build(db, None)
    assert nothing.timeline is None
    assert nothing.latency is None
    assert report.details.prompt_tokens is not None
    assert report.details.prompt_tokens.counts == [2]


def test_lengths_are_of_the_present_input_only(tmp_path: Path) -> None:
    work(tmp_path, ["a b c d", "e"])
    report = work(tmp_path, ["e", "f g"])
    held = report.details.prompt_tokens
    assert held is not None
    assert (held.largest, sum(held.counts)) == (2, 2)


def test_lengths_of_random_answers_add_up(tmp_path: Path) -> None:
    drawn = random.Random(1)
    rows = [" ".join("x" * drawn.randint(1, 90)) + f" {n}" for n in range(200)]
    report = work(tmp_path, rows)
    held = report.details.prompt_tokens
    assert held is not None
    assert held.mean * sum(held.counts) == pytest.approx(report.last_run.prompt_tokens)
