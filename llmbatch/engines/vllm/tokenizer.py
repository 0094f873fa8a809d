"""The model's tokenizer without vLLM, which takes many seconds to import."""

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmbatch.engines.vllm import processes, start
from llmbatch.engines.vllm.chat_tokens import Texts

_MODES = ("auto", "hf")


def load(model: str, folder: Path | None, options: Mapping[str, Any]) -> Texts | None:
    """What turns chats into the token ids that vLLM would get; None where only vLLM knows how.

    A tokenizer from the hub is taken from the local cache if it is there.
    """
    if options.get("tokenizer_mode", "auto") not in _MODES or not _is_installed():
        return None
    start.set_environment(local=folder is not None)
    name = options.get("tokenizer") or (str(folder) if folder is not None else model)
    wanted = {
        "revision": options.get("tokenizer_revision") or options.get("revision"),
        "trust_remote_code": bool(options.get("trust_remote_code")),
    }
    try:
        with processes.output_to(None):
            from transformers import AutoTokenizer

            tokenizer = AutoTokenizer.from_pretrained(
                name, **{key: value for key, value in wanted.items() if value}
            )
            return Texts(tokenizer)
    except Exception:  # whatever it is, starting the engine will say it better
        return None


def _is_installed() -> bool:
    return importlib.util.find_spec("transformers") is not None
