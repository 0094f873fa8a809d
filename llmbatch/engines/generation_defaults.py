"""The drawing of tokens that a model's makers recommend, in its generation_config.json.

A server of vLLM's takes them where a request says nothing; `generation_config` and
`override_generation_config` among its options change that.
"""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from llmbatch.core.errors import LlmbatchError
from llmbatch.core.option_name import plain_name
from llmbatch.engines import hub, model_files

FILE = "generation_config.json"
# Its names, and ours.
_NAMES = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "min_p": "min_p",
    "repetition_penalty": "repetition_penalty",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
    "max_new_tokens": "max_tokens",
}


def defaults(model: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The recommended values, by our names; `options`: the engine's, as the user wrote them."""
    given = {plain_name(name): value for name, value in options.items()}
    source, changed = (
        given.get("generation_config", "auto"),
        given.get("override_generation_config"),
    )
    content = None if source == "vllm" else _content(model, str(source), given.get("revision"))
    table = {} if content is None else _table(content)
    table |= changed if isinstance(changed, dict) else {}
    return {
        ours: value
        for name, ours in _NAMES.items()
        if isinstance(value := table.get(name), int | float) and not isinstance(value, bool)
    }


def _content(model: str, source: str, revision: Any) -> bytes | None:
    """The file's content; None where there is none, or it is not known."""
    with contextlib.suppress(LlmbatchError, OSError):
        folder = model_files.local_folder(model) if source == "auto" else Path(source)
        if folder is not None:
            return (folder / FILE).read_bytes()
        return hub.content(model, hub.commit_of(model, revision), FILE)
    return None


def _table(content: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
