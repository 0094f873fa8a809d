"""The files of a server's model, where they are on this machine, too."""

from dataclasses import replace
from pathlib import Path

from llmbatch.core.errors import UsageError
from llmbatch.engines import hub, model_files
from llmbatch.engines.config import EngineConfig
from llmbatch.engines.vllm import kinds
from llmbatch.engines.vllm.engine import VllmEngine


def twin(config: EngineConfig) -> VllmEngine | None:
    """An engine of this machine for the same model, which is never started: it knows the tokens of
    prompts and the files of the model. None where these are not here; nothing is fetched."""
    folder = _folder(config.model)
    if folder is None:
        return None
    try:
        return kinds.create(
            replace(config, model=str(folder), options={}, servers=None, replicas=None, adapters={})
        )
    except UsageError:
        return None


def _folder(model: str) -> Path | None:
    try:
        folder = model_files.local_folder(model)
        # Only a name with a slash can be in the cache, and looking there takes an import.
        return hub.cached_folder(model, None) if folder is None and "/" in model else folder
    except (UsageError, OSError, ValueError):
        return None
