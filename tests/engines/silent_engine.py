"""The scripted engine, telling nothing of itself: `--engine tests.engines.silent_engine:create`."""

from llmbatch.engines.config import EngineConfig
from llmbatch.engines.info import EngineInfo
from tests import scripted_engine
from tests.scripted_engine import ScriptedEngine


class SilentEngine(ScriptedEngine):
    def describe(self) -> EngineInfo:
        return EngineInfo()


def create(config: EngineConfig) -> SilentEngine:
    """The factory that the registry calls."""
    return SilentEngine(config, scripted_engine.options_of(config))
