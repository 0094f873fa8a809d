"""Models of the Hugging Face Hub: their commits, and what the local cache holds of them.

huggingface_hub knows where its cache is, what lies in it, and whether the network may be used
(`HF_HUB_CACHE`, `HF_HOME`, `HF_HUB_OFFLINE`). It is imported only for a model that is named as on
the hub, since the import takes longer than most commands.
"""

import contextlib
import re
from pathlib import Path
from types import ModuleType
from typing import Any

from llmbatch.core.errors import EngineError, UsageError
from llmbatch.engines import model_files

_COMMIT = re.compile(r"[0-9a-f]{40}")
_TIMEOUT = 20
"""Seconds to wait for an answer of the hub."""


def commit_of(name: str, revision: str | None) -> str:
    """The commit that `revision` (default: the main branch) of a model stands for.

    The local cache goes before the hub, so that a cached model stays the one that it is. Raises
    UsageError for a model or revision that does not exist or that must not be looked up,
    EngineError where the hub does not answer.
    """
    if revision is not None and _COMMIT.fullmatch(revision):
        return revision
    cached = cached_folder(name, revision)
    if cached is not None:
        return cached.name
    if _library(name).constants.HF_HUB_OFFLINE:
        raise UsageError(
            f"model {name!r}: neither a folder nor in the local Hugging Face cache, "
            "and HF_HUB_OFFLINE is set: download it first, or give a folder"
        )
    return _asked_commit(name, revision)


def cached_folder(name: str, revision: str | None) -> Path | None:
    """The folder with the cached files of a model, which need not be all of them; it is named
    after the commit. None: nothing is cached."""
    try:
        # No files are asked for: else a folder without those that vLLM does not need is an error.
        folder = _library(name).snapshot_download(
            name, revision=revision, local_files_only=True, allow_patterns=[]
        )
    except (OSError, ValueError, EngineError):  # not cached; no valid name; no library
        return None
    return Path(folder)


def configuration(name: str, commit: str) -> dict[str, Any] | None:
    """The contents of a model's config.json, a small file, which the cache keeps; None where it
    is not cached and the hub does not answer, or must not be asked."""
    with contextlib.suppress(Exception):  # the start of the engine gives a better reason
        path = _library(name).hf_hub_download(
            name, "config.json", revision=commit, etag_timeout=_TIMEOUT
        )
        return model_files.configuration(Path(path).parent)
    return None


def content(name: str, commit: str, file: str) -> bytes | None:
    """The contents of a small file of a model, which the cache keeps; None where it is not cached
    and the hub has none, does not answer, or must not be asked."""
    with contextlib.suppress(Exception):  # the start of the engine gives a better reason
        path = _library(name).hf_hub_download(name, file, revision=commit, etag_timeout=_TIMEOUT)
        return Path(path).read_bytes()
    return None


def _asked_commit(name: str, revision: str | None) -> str:
    library = _library(name)
    try:
        commit = library.HfApi().model_info(name, revision=revision, timeout=_TIMEOUT).sha
    except library.errors.RevisionNotFoundError as error:
        raise UsageError(f"model {name!r}: the hub has no revision {revision!r}") from error
    except library.errors.RepositoryNotFoundError as error:
        raise UsageError(
            f"model {name!r}: no such folder, and no such model on the Hugging Face Hub "
            "(for a private one set HF_TOKEN)"
        ) from error
    except Exception as error:  # the network fails in many ways
        # The text of these errors may quote the request with its headers: name the type only.
        raise EngineError(
            f"model {name!r}: the Hugging Face Hub cannot be asked ({type(error).__name__}): "
            "download the model first, give a folder, or set revision to a commit"
        ) from error
    if not commit:
        raise EngineError(f"model {name!r}: the hub named no commit: set revision to one")
    return str(commit)


def _library(name: str) -> ModuleType:
    try:
        import huggingface_hub
        import huggingface_hub.constants
        import huggingface_hub.errors
    except ImportError as error:
        raise EngineError(
            f"model {name!r}: is not a folder, and huggingface_hub, which finds models of the hub, "
            "is not installed"
        ) from error
    module: ModuleType = huggingface_hub
    return module
