"""The scripted engine, saying something of itself that no report can show."""

from typing import Any

from llmbatch.engines.base import EngineConfig
from tests import scripted_engine
from tests.scripted_engine import ScriptedEngine


class OddEngine(ScriptedEngine):
    def describe(self) -> dict[str, Any]:
        return super().describe() | {"weight_bytes": "many"}


def create(config: EngineConfig) -> OddEngine:
    """The factory that the registry calls."""
    return OddEngine(config, scripted_engine.options_of(config))
