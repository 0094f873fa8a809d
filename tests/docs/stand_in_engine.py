"""The scripted engine for the sample jobs, whose job files have options of vLLM's."""

from dataclasses import fields, replace

from llmbatch.engines.config import EngineConfig
from tests import scripted_engine
from tests.scripted_engine import Options, ScriptedEngine

KNOWN = {field.name for field in fields(Options)} - {"max_model_len"}


def create(config: EngineConfig) -> ScriptedEngine:
    """The factory that the registry calls; what is for vLLM alone is left out."""
    options = {name: value for name, value in config.options.items() if name in KNOWN}
    return scripted_engine.create(replace(config, options=options))
