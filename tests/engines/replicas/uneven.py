"""A scripted engine of which each replica has options of its own: `name.NUMBER=value`."""

import os
from dataclasses import replace

from llmbatch.engines.config import EngineConfig
from llmbatch.engines.replicas.placement import NUMBER
from tests import scripted_engine
from tests.scripted_engine import ScriptedEngine


def create(config: EngineConfig) -> ScriptedEngine:
    """The factory; options without a number are those of all."""
    options = {}
    for name, value in config.options.items():
        plain, dot, number = name.partition(".")
        if not dot or number == os.environ.get(NUMBER):
            options[plain] = value
    return scripted_engine.create(replace(config, options=options))
