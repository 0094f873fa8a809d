"""The scripted engine, telling of a device that no page can show."""

from dataclasses import replace
from typing import Any

from llmbatch.engines.config import EngineConfig
from llmbatch.engines.info import EngineInfo
from llmbatch.sizing.device import Device
from tests import scripted_engine
from tests.scripted_engine import ScriptedEngine


class OddEngine(ScriptedEngine):
    def describe(self) -> EngineInfo:
        memory: Any = "much"
        odd = Device("odd", "gpu", 1, memory, 1e12, 1e11, "made up")
        return replace(super().describe(), hardware=odd)


def create(config: EngineConfig) -> OddEngine:
    """The factory that the registry calls."""
    return OddEngine(config, scripted_engine.options_of(config))
