"""Every engine of a run has the model that the requests' keys name."""

import threading
from pathlib import Path

import pytest

from llmbatch.core.errors import EngineError, UsageError
from llmbatch.engines.config import EngineConfig
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.prompts import ready_job
from llmbatch.pipeline.run.engine_factory import EngineFactory, IdentityLookup
from tests import scripted_engine
from tests.engines import lora
from tests.engines.vllm import session
from tests.scripted_engine import ScriptedEngine

variant = "first"


def create(config: EngineConfig) -> ScriptedEngine:
    """A model that can be exchanged under its name."""
    return scripted_engine.create(EngineConfig(config.model, {"variant": variant}))


@pytest.fixture
def engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EngineFactory:
    monkeypatch.setattr(f"{__name__}.variant", "first")
    table = {"input": "i.csv", "output": str(tmp_path / "o.csv"), "model": "m", "prompt": "p"}
    spec = JobSpec.model_validate(table | {"engine": {"name": f"{__name__}:create"}})
    return EngineFactory(ready_job.make(spec))


def test_the_engine_that_was_checked_is_the_first_to_work(engines: EngineFactory) -> None:
    first = engines.first_engine
    assert engines.next_engine() is first
    assert engines.next_engine() is not first


def test_a_model_that_was_exchanged_meanwhile_is_refused(
    engines: EngineFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    engines.next_engine()
    monkeypatch.setattr(f"{__name__}.variant", "second")
    with pytest.raises(EngineError, match="model has changed"):
        engines.next_engine()


@pytest.mark.parametrize("is_gone", [False, True])
def test_an_adapter_that_was_exchanged_meanwhile_is_refused(tmp_path: Path, is_gone: bool) -> None:
    folder = lora.make(tmp_path / "red", session.MODEL, 1)
    table = {"input": "i.csv", "output": str(tmp_path / "o.csv"), "model": "m", "prompt": "p"}
    table["adapter"] = str(folder)
    spec = JobSpec.model_validate(table | {"engine": {"name": "tests.scripted_engine:create"}})
    engines = EngineFactory(ready_job.make(spec))
    engines.next_engine()
    engines.next_engine()
    if is_gone:
        folder.rename(tmp_path / "gone")
    else:
        lora.make(folder, session.MODEL, 2)
    with pytest.raises(EngineError, match="an adapter has changed since the run began"):
        engines.next_engine()


class Slow(ScriptedEngine):
    """Its identity is known once somebody lets it be."""

    go = threading.Event()

    def identity(self) -> dict[str, str]:
        assert self.go.wait(30)
        return super().identity()


class Odd(ScriptedEngine):
    """Its model cannot be named."""

    def identity(self) -> dict[str, str]:
        raise UsageError("no such folder")


def test_a_model_is_named_while_the_caller_does_something_else() -> None:
    engine = Slow(EngineConfig("m", {}), scripted_engine.Options())
    lookup = IdentityLookup(engine)
    engine.go.set()
    assert lookup.identity() == {"model": "m", "variant": ""}


def test_a_model_that_cannot_be_named_is_told_to_whoever_asks() -> None:
    lookup = IdentityLookup(Odd(EngineConfig("m", {}), scripted_engine.Options()))
    with pytest.raises(UsageError, match="no such folder"):
        lookup.identity()
