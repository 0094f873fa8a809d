"""Rows with adapters beside rows without one, on the real engine."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from llmbatch.core.errors import EngineError
from llmbatch.core.outcomes import Completed
from llmbatch.core.records import Request
from llmbatch.engines import adapter_files
from llmbatch.engines.config import EngineConfig
from llmbatch.engines.vllm import engine as vllm
from tests.engines import lora
from tests.engines.vllm import session
from tests.engines.vllm.requests import ask

pytestmark = session.needs_vllm


def digest(folder: Path) -> str:
    return adapter_files.read(folder).digest()


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Two adapters by digest, one with a rank that vLLM has no size for."""
    root = tmp_path_factory.mktemp("adapters")
    red = lora.make(root / "red", session.MODEL, 1, scale=0.3)
    blue = lora.make(root / "blue", session.MODEL, 2, rank=12, scale=0.3)
    return {digest(path): str(path) for path in (red, blue)}


@pytest.fixture(scope="module")
def engine(folders: dict[str, str]) -> Iterator[vllm.VllmEngine]:
    session.stop()
    # In bfloat16 an answer may change with the company of its row.
    config = session.config(dtype="float32")
    made = EngineConfig(config.model, config.options, config.log_path, adapters=folders)
    with vllm.create(made) as running:
        yield running


def texts(engine: vllm.VllmEngine, requests: Sequence[Request]) -> list[str]:
    found = {outcome.key: outcome for outcome in engine.run(iter(requests))}
    assert all(isinstance(outcome, Completed) for outcome in found.values()), found
    return [found[request.key].text or "" for request in requests]


def of(adapter: str | None, count: int = 6) -> list[Request]:
    asked = [ask(f"ticket {number}: a parcel is late", max_tokens=8) for number in range(count)]
    return [Request(f"{(adapter or 'none')[:4]}{one.key}"[:32], one.messages, one.sampling,
                    adapter=adapter) for one in asked]  # fmt: skip


@pytest.mark.parametrize("way", ["short", "public"])
def test_a_row_is_answered_as_if_it_were_alone(
    engine: vllm.VllmEngine, folders: dict[str, str], way: str
) -> None:
    groups = [of(adapter) for adapter in (None, *folders)]
    with session.driven(engine, way):
        alone = [texts(engine, group) for group in groups]
        mixed = [one for row in zip(*groups, strict=True) for one in row]
        together = texts(engine, mixed)
    assert [together[n :: len(groups)] for n in range(len(groups))] == alone
    # Otherwise nothing would be shown.
    assert len({tuple(answers) for answers in alone}) == len(groups)


def test_an_adapter_that_the_engine_was_not_started_with_is_no_fault_of_its_row(
    engine: vllm.VllmEngine,
) -> None:
    with pytest.raises(EngineError, match="an adapter has changed since the run began"):
        list(engine.run(iter(of("0" * 32, 1))))


def test_an_adapter_that_changed_after_it_was_named_is_noticed_at_the_start(
    engine: vllm.VllmEngine, folders: dict[str, str], tmp_path: Path
) -> None:
    folder = lora.make(tmp_path / "late", session.MODEL, 3)
    config = EngineConfig(
        str(session.MODEL), session.OPTIONS, adapters={digest(folder): str(folder)}
    )
    other = vllm.create(config)
    lora.make(folder, session.MODEL, 4)
    client = engine._client
    assert client is not None
    with pytest.raises(EngineError, match="has changed since the run began"):
        other._adapters.load(client.engine)
