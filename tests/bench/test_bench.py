"""The short form of `make bench`: all sides run and do the same work.

Counts are looked at (steps, tokens, cache hits), times are not. Starting engines is what takes
time here, so each pair of sides starts once; `make bench-quick` runs every case.
"""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bench import batch, foretold, generation, gpu, nights, shared, workloads
from tests.bench.findings import Finding
from tests.bench.sides import QUICK, Bench

pytestmark = pytest.mark.engine


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    # In one process with one thread each: half the start-up time, and nobody is in another's way.
    monkeypatch.setenv("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return Bench(tmp_path, rounds=1, sizes={**QUICK, "generate": 150, "run-batch": 40, "plan": 90})


def test_both_sides_generate_the_same(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    # Other numbers of tokens on the two sides would be an error.
    at_once, in_chunks = generation.run(bench, ["generate", "chunks"])
    assert at_once.ours == in_chunks.ours
    ours, theirs = steps(at_once)
    assert ours <= theirs * 1.02
    assert steps(in_chunks)[1] > theirs
    assert "round 1: llmbatch distinct" in capsys.readouterr().out


def steps(finding: Finding) -> tuple[int, int]:
    """(llmbatch, LLM.generate)"""
    line = next(note for note in finding.notes if note.startswith("engine steps"))
    ours, theirs = line.split("llmbatch ")[1], line.split("LLM.generate ")[1]
    return int(ours.split()[0].replace(",", "")), int(theirs.replace(",", ""))


def test_run_batch_answers_the_same_requests(bench: Bench) -> None:
    wall, memory = batch.run(bench, ["run-batch"])
    assert wall.what.startswith("40 requests, whole process")
    # A vLLM engine alone takes more than this.
    assert all(megabytes(side) > 500 for side in (memory.ours, memory.theirs))


def megabytes(text: str) -> float:
    return float(text.removesuffix(" MiB").replace(",", ""))


def test_a_table_with_dummy_weights_shares_prefixes_as_predicted(bench: Bench) -> None:
    small, _, _ = gpu.bench_of("cpu", bench.folder, rounds=1)
    small = replace(small, sizes=bench.sizes, small_cache=workloads.SMALL_CACHE)
    speed, hits = shared.run(small, shared.CASES)
    assert "output tokens: llmbatch 1,200, LLM.generate 1,200" in speed.notes
    ours, theirs = map(float, re.findall(r"([\d.]+)%", speed.notes[0]))
    assert ours > 40
    assert theirs < 5
    assert hits.met, hits.notes


def test_a_plan_is_told_beside_what_the_run_then_uses(bench: Bench) -> None:
    """After a sample and after a run. Whether one draw lies in an interval of 95 in 100 is not
    judged: what an engine answers differs from one processor to the next. How often draws do is
    tested where they cost nothing (tests/estimate/test_output_tokens.py)."""
    jobs = {"cut off": foretold.JOBS["cut off"]}
    found = {line.what: line for line in foretold.run(bench, foretold.CASES, jobs)}
    for basis in ("a sample of 50 rows", "the run before"):
        for name in ("prompt tokens", "output tokens"):
            told = found[f"{name} of 1 jobs inside the interval of `plan`, by {basis}"]
            assert 0.5 < actual_by_expected(told) < 2, found
        time = found[f"time of 1 jobs inside the interval of `plan`, by {basis}"]
        assert actual_by_expected(time) > 0.1


def actual_by_expected(finding: Finding) -> float:
    return float(finding.ratio.removeprefix("actual / expected "))


def test_nights_are_measured_against_the_build_before(tmp_path: Path) -> None:
    bench = Bench(tmp_path, rounds=1, sizes={**QUICK, "night": 100})
    (found,) = nights.run(bench, ["night-changed"])
    assert "100 rows" in found.what
