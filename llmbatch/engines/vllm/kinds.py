"""The kinds of vLLM engines: one generates texts, the other pools them to numbers."""

from llmbatch.core.errors import UsageError
from llmbatch.engines.config import EngineConfig
from llmbatch.engines.vllm import engine, pooling_engine
from llmbatch.engines.vllm.engine import VllmEngine


def create(config: EngineConfig) -> VllmEngine:
    """The engine for what the requests ask for. Raises UsageError as it does."""
    pools = config.ask is not None and config.ask.pools
    if pools and config.adapters:
        raise UsageError("adapters: numbers of texts are made without them; leave them out")
    return pooling_engine.create(config) if pools else engine.create(config)
