"""The sample that settings are tried with: neighbours of the planned order, from all over it."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbatch.core.errors import UsageError
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.run import preflight
from llmbatch.tune import trial_requests
from tests.workbench import engine


def spec_of(folder: Path, texts: list[str], **changes: object) -> JobSpec:
    (folder / "in.csv").write_text("text\n" + "".join(f"{text}\n" for text in texts))
    table = {"input": str(folder / "in.csv"), "output": str(folder / "o.jsonl"), "model": "m"}
    return JobSpec.model_validate(table | {"prompt": "Say {{ text }}"} | changes)


def draw(folder: Path, texts: list[str], rows: int) -> trial_requests.TrialRequests:
    store = folder / "store"
    store.mkdir()
    return trial_requests.draw(preflight.make_ready(spec_of(folder, texts)), engine(), rows, store)


@given(st.integers(3, 5000), st.integers(3, 600))
def test_stretches_lie_apart_and_within(planned: int, rows: int) -> None:
    ends = trial_requests.stretches(planned, rows)
    lengths = {last - first + 1 for first, last in ends}
    assert len(lengths) == 1
    assert min(lengths) >= 1
    assert all(last < first for (_, last), (first, _) in pairwise(ends))
    assert (ends[0][0], ends[-1][1] < planned) == (0, True)
    taken = len(ends) * min(lengths)
    assert taken <= min(rows, planned) < taken + len(ends)


def test_a_large_sample_has_stretches_from_all_over_the_order() -> None:
    assert trial_requests.stretches(9000, 90) == [(1000 * n, 1000 * n + 9) for n in range(9)]


def test_a_small_sample_has_longer_stretches() -> None:
    assert trial_requests.stretches(300, 30) == [(0, 9), (100, 109), (200, 209)]


def test_no_request_is_in_two_parts(tmp_path: Path) -> None:
    drawn = draw(tmp_path, [f"text {n}" for n in range(200)], rows=90)
    parts = [drawn.warm_up, *drawn.halves]
    assert [len(part) for part in parts] == [10, 40, 40]
    assert len({request.key for part in parts for request in part}) == 90
    assert drawn.planned == 200


@pytest.mark.parametrize("half", [1, 32, 33, 1000])
def test_rows_for_halves_of_a_size(tmp_path: Path, half: int) -> None:
    rows = trial_requests.rows_for(half)
    drawn = draw(tmp_path, [f"text {n}" for n in range(rows)], rows)
    assert half <= min(map(len, drawn.halves)) < half + 32


def test_equal_rows_are_one_request(tmp_path: Path) -> None:
    drawn = draw(tmp_path, ["a", "b", "c"] * 50, rows=100)
    assert drawn.planned == 3
    assert [len(part) for part in (drawn.warm_up, *drawn.halves)] == [1, 1, 1]


def test_requests_are_those_of_a_run(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    spec = spec_of(tmp_path, ["a", "b", "c"], answer={"choice": ["x"]}, sampling={"max_tokens": 3})
    drawn = trial_requests.draw(preflight.make_ready(spec), engine(), 3, tmp_path / "store")
    request = drawn.warm_up[0]
    assert [message.content for message in request.messages] == ["Say b"]
    assert request.sampling.max_tokens == 3
    assert request.constraint == spec.answer.to_constraint()


def test_too_few_requests(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"needs 3 different requests at least, and there are 2"):
        draw(tmp_path, ["a", "b", "b"], rows=100)
