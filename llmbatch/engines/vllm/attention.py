"""The kernel that a started vLLM computes attention with."""

import os
import re
from pathlib import Path
from typing import Any

_LOGGED = re.compile(rb"Using (?:AttentionBackendEnum\.)?([A-Z][A-Z0-9_]+) (?:attention )?backend")


def backend(config: Any, log_path: str | None, since: int) -> str | None:
    """Its name among vLLM's backends; None where it is not known.

    It is chosen in the worker, which says so in the engine's log alone, behind byte `since`; on a
    CPU there is one for all models but those with latent attention.
    """
    if config.device_config.device_type == "cpu":
        return None if config.model_config.use_mla else "CPU_ATTN"
    try:
        with Path(log_path or os.devnull).open("rb") as log:
            log.seek(since)
            named = _LOGGED.search(log.read())
    except OSError:
        named = None
    if named is not None:
        return named[1].decode()
    asked = config.attention_config.backend
    return None if asked is None else str(getattr(asked, "name", asked))
