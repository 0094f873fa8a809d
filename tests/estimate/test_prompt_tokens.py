"""Tokens of prompts: all of them, or a sample with bounds; rows that are too long."""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import orjson
import pytest

from llmbatch.core.records import Message
from llmbatch.estimate import prompt_tokens
from llmbatch.estimate.prompt_tokens import ContextLimit, PromptTokens
from llmbatch.job.folder import JobPaths
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.prompts import planner, ready_job
from llmbatch.pipeline.rows import ingest
from llmbatch.pipeline.run import sample
from llmbatch.store import history
from llmbatch.store.database import Database
from llmbatch.store.opening import open_store

NO_LIMIT = ContextLimit(None, None, 100)


def encode(messages: Sequence[Message]) -> list[int]:
    """About four characters to a token, more or less by what they are; one for the role."""
    text = "".join(message.content for message in messages)
    if "unreadable" in text:
        raise ValueError("no such role")
    return [1] * (1 + len(text) // 4 + text.count("a") // 8)


@contextmanager
def planned(folder: Path, texts: list[str]) -> Iterator[tuple[Database, history.PendingWork]]:
    (folder / "in.jsonl").write_bytes(b"\n".join(orjson.dumps({"t": text}) for text in texts))
    table = {"input": str(folder / "in.jsonl"), "output": "o.jsonl", "model": "m"}
    spec = JobSpec.model_validate(table | {"prompt": "{{ t }}"})
    job, paths = ready_job.make(spec), JobPaths(folder)
    with open_store(paths.store) as db:
        snapshot = ingest.ingest(db, job.input, paths.spool)
        planner.plan(db, job, snapshot, {"model": "m"})
        yield db, history.pending_work(db, None, lambda spec: True)


def texts(seed: int, count: int) -> list[str]:
    """Some are long, most are short; each is different."""
    rng = random.Random(seed)
    return [
        f"{number} " + rng.choice("abc") * int(rng.lognormvariate(4, 0.8))
        for number in range(count)
    ]


def truth(rows: list[str]) -> list[int]:
    return [len(encode([Message("user", row)])) for row in set(rows)]


def measured(folder: Path, rows: list[str], limit: ContextLimit = NO_LIMIT) -> PromptTokens:
    with planned(folder, rows) as (db, left):
        found = prompt_tokens.measure(db, left, encode, limit)
    assert found is not None
    return found


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A budget that a few rows exceed."""
    monkeypatch.setattr(prompt_tokens, "EXACT_REQUESTS", 300)
    monkeypatch.setattr(prompt_tokens, "SAMPLE", 150)


def test_of_a_few_all_are_counted(tmp_path: Path) -> None:
    rows = texts(1, 500)
    found = measured(tmp_path, rows)
    assert found.exact
    assert found.total.low == found.total.high == sum(truth(rows))
    assert (found.looked_at, found.requests) == (500, 500)
    assert found.context.longest.tokens == max(truth(rows))
    assert rows[found.context.longest.line - 1] in rows


@pytest.mark.usefixtures("small")
def test_the_interval_of_a_sample_holds_the_truth(tmp_path: Path) -> None:
    inside = 0
    for seed in range(20):
        folder = tmp_path / str(seed)
        folder.mkdir()
        rows = texts(seed, 1_000)
        found = measured(folder, rows)
        assert not found.exact
        assert found.looked_at == 150
        inside += found.total.low <= sum(truth(rows)) <= found.total.high
        assert found.total.high - found.total.low < 0.1 * found.total.expected
    assert inside >= 18


def test_messages_of_many_bytes_are_sampled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompt_tokens, "EXACT_BYTES", 10_000)
    monkeypatch.setattr(prompt_tokens, "SAMPLE", 50)
    assert not measured(tmp_path, texts(1, 400)).exact


@pytest.mark.parametrize("limit", [20, 60, 150, 100_000])
def test_rows_that_are_too_long_are_counted(tmp_path: Path, limit: int) -> None:
    rows = texts(2, 400)
    found = measured(tmp_path, [*rows, *rows[:40]], ContextLimit(limit, "given", 30))
    tokens = [len(encode([Message("user", row)])) for row in [*rows, *rows[:40]]]
    too_long = sum(length >= limit for length in tokens)
    assert found.context.too_long.low == found.context.too_long.high == too_long
    cut = sum(limit - 30 < length < limit for length in tokens)
    assert found.context.cut.low == found.context.cut.high == cut
    # They fail at once: nothing of them is computed.
    fitting = [length for length in truth(rows) if length < limit]
    assert found.requests == len(fitting)
    assert found.fitting.expected == pytest.approx(sum(fitting))


@pytest.mark.usefixtures("small")
def test_a_few_long_ones_among_many_are_found_exactly(tmp_path: Path) -> None:
    rows = [*texts(3, 900), *(f"{n} " + "b" * 8_000 for n in range(7))]
    found = measured(tmp_path, rows, ContextLimit(1_900, "given", 50))
    assert not found.exact
    assert found.context.too_long.low == found.context.too_long.high == 7
    assert found.context.longest.tokens > 2_000


@pytest.mark.usefixtures("small")
def test_many_long_ones_are_estimated(tmp_path: Path) -> None:
    inside = 0
    for seed in range(10):
        folder = tmp_path / str(seed)
        folder.mkdir()
        rows = texts(seed, 1_000)
        found = measured(folder, rows, ContextLimit(15, "given", 5)).context.too_long
        assert found.low < found.high
        inside += found.low <= sum(length >= 15 for length in truth(rows)) <= found.high
    assert inside >= 9


def test_what_cannot_be_encoded_is_told(tmp_path: Path) -> None:
    found = measured(tmp_path, ["good", "unreadable", "also good"])
    assert (found.unreadable, found.requests) == (1, 2)


def test_nothing_that_can_be_encoded_is_nothing(tmp_path: Path) -> None:
    with planned(tmp_path, ["unreadable"]) as (db, left):
        assert prompt_tokens.measure(db, left, encode, NO_LIMIT) is None


@pytest.mark.parametrize(("count", "wanted"), [(10, 3), (10, 10), (3, 10), (1, 1), (10**7, 4_000)])
def test_places_are_spread(count: int, wanted: int) -> None:
    places = sample.spread(count, wanted)
    assert len(set(places)) == min(count, wanted)
    assert places == sorted(places)
    gaps = [later - earlier for earlier, later in pairwise(places)]
    assert max(gaps, default=0) - min(gaps, default=0) <= 1
    assert 0 <= places[0] <= places[-1] < count
