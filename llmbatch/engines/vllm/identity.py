"""The identity of a model and its options: all that can change an answer."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmbatch.engines import hub, model_files
from llmbatch.engines.vllm import options as vllm_options


def of(
    model: str, folder: Path | None, options: Mapping[str, Any], kept: Mapping[str, Any]
) -> dict[str, str]:
    """The identity of a model in a folder, or of one of the hub by the commit that runs, with those
    of the `kept` options that affect answers."""
    if folder is not None:
        name = {"model": model_files.fingerprint(folder)}
    else:
        name = {"model": model, "revision": hub.commit_of(model, options.get("revision"))}
    return name | vllm_options.answer_affecting(kept)


def pinned(folder: Path | None, named: Mapping[str, str]) -> dict[str, str]:
    """The option by which a model of the hub is the one that its identity, and so the keys, name,
    even if the branch moves on meanwhile; none for one in a folder."""
    return {} if folder is not None else {"revision": named["revision"]}
