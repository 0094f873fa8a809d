"""What names a model: a fingerprint of local files, or a commit of the Hugging Face Hub.

A model's answers are stored under this name, so it must change whenever the weights, the
tokenizer or the chat template do, and must not change when a folder is moved.
"""

import contextlib
import hashlib
import json
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llmbatch.core.errors import EngineError, UsageError
from llmbatch.engines import digests

HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
COMMIT = re.compile(r"[0-9a-f]{40}")
# Files that no engine reads. Python files count only where the configuration names them.
IGNORED_SUFFIXES = {".md", ".png", ".jpg", ".jpeg", ".gif", ".pdf", ".log", ".lock", ".pyc"}
IGNORED_NAMES = {"LICENSE", "LICENSE.txt", "NOTICE", "NOTICE.txt", "README", "README.txt"}


def local_folder(model: str) -> Path | None:
    """The folder that `model` names, or None when it is a name on the hub.

    Raises UsageError for a path without a model. A hub name also has a slash in it
    (`owner/name`), so a relative path of that form is a folder only if it exists.
    """
    path = path_of(model)
    written_as_path = model.startswith((".", "/", "~")) or not HUB_NAME.fullmatch(model)
    mode = _mode(path)
    if not written_as_path and not stat.S_ISDIR(mode):
        return None
    if not mode:
        raise UsageError(f"model {model!r}: no such folder")
    if not stat.S_ISDIR(mode):
        raise UsageError(f"model {model!r}: not a folder")
    if not (path / "config.json").is_file():
        raise UsageError(f"model {model!r}: the folder has no config.json, so it holds no model")
    return path


def path_of(name: str) -> Path:
    """The path that is written as `name`, where ~ is a home folder if it is known."""
    try:
        return Path(name).expanduser()
    except RuntimeError:
        return Path(name)


def is_folder(path: Path) -> bool:
    """Whether it names a folder; no name is too long, or too odd, to be asked."""
    try:
        return path.is_dir()
    except OSError:
        return False


def _mode(path: Path) -> int:
    """What kind of file it is; 0 where there is none."""
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0
    except OSError as error:
        raise UsageError(f"model {str(path)[:200]}: cannot be used: {error.strerror}") from error
    except ValueError as error:
        raise UsageError(f"model {str(path)[:200]}: is no name of a folder: {error}") from error


def fingerprint(folder: Path) -> str:
    """A hash of the names and contents of the files that can change an answer."""
    names = _relevant_files(folder)
    try:
        found = digests.shared().of([folder / name for name in names])
    except OSError as error:
        raise UsageError(f"model {str(folder)!r}: cannot be read: {error}") from error
    lines = (f"{name}\0{digest}\n" for name, digest in zip(names, found, strict=True))
    return f"sha256:{hashlib.sha256(''.join(lines).encode()).hexdigest()}"


def _relevant_files(folder: Path) -> list[str]:
    with_code = _has_own_code(folder)
    names = []
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        hidden = any(part.startswith((".", "__pycache__")) for part in name.parts)
        ignored = path.suffix.lower() in IGNORED_SUFFIXES or path.name in IGNORED_NAMES
        code = path.suffix == ".py" and not with_code
        if not (hidden or ignored or code) and path.is_file():
            names.append(name.as_posix())
    return sorted(names)


def _has_own_code(folder: Path) -> bool:
    """Whether the model brings Python code that an engine would run (`auto_map`)."""
    config = folder / "config.json"
    try:
        return config.is_file() and "auto_map" in json.loads(config.read_bytes())
    except ValueError as error:
        raise UsageError(f"model {str(folder)!r}: config.json is not JSON: {error}") from error


def hub_commit(name: str, revision: str | None, environment: Mapping[str, str]) -> str:
    """The commit that `revision` (default: the main branch) of a hub model stands for.

    Looks in the local cache first, so that a cached model stays what it is, and asks the
    hub only then.
    """
    if revision is not None and COMMIT.fullmatch(revision):
        return revision
    cached = _cached_commit(name, revision or "main", environment)
    if cached is not None:
        return cached
    if _offline(environment):
        raise UsageError(
            f"model {name!r}: neither a folder nor in the local Hugging Face cache, "
            "and HF_HUB_OFFLINE is set: download it first, or give a folder"
        )
    return _asked_commit(name, revision)


def _offline(environment: Mapping[str, str]) -> bool:
    said = {environment.get(key, "0") for key in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")}
    return bool(said - {"0", "", "false", "False"})


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Where huggingface_hub keeps models, by its own conventions."""
    for key in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"):
        if environment.get(key):
            return Path(environment[key]).expanduser()
    cache = Path(environment.get("XDG_CACHE_HOME") or "~/.cache")
    home = Path(environment.get("HF_HOME") or cache / "huggingface")
    return home.expanduser() / "hub"


def _cached_commit(name: str, revision: str, environment: Mapping[str, str]) -> str | None:
    folder = "models--" + name.replace("/", "--")
    ref = cache_folder(environment) / folder / "refs" / revision
    try:
        commit = ref.read_text().strip()
    except OSError:
        return None
    return commit if COMMIT.fullmatch(commit) else None


def _asked_commit(name: str, revision: str | None) -> str:
    try:
        from huggingface_hub import HfApi
        from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError
    except ImportError as error:
        raise EngineError(
            f"model {name!r}: not in the local cache, and huggingface_hub is not installed"
        ) from error
    try:
        commit = HfApi().model_info(name, revision=revision, timeout=20).sha
    except RevisionNotFoundError as error:
        raise UsageError(f"model {name!r}: the hub has no revision {revision!r}") from error
    except RepositoryNotFoundError as error:
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


def cached_folder(name: str, commit: str, environment: Mapping[str, str]) -> Path | None:
    """What the local cache has of a hub model at `commit`; None: nothing."""
    folder = cache_folder(environment) / ("models--" + name.replace("/", "--"))
    snapshot = folder / "snapshots" / commit
    return snapshot if snapshot.is_dir() else None


def configuration(folder: Path) -> dict[str, Any] | None:
    """What config.json says; None where it cannot be read."""
    try:
        said = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError):
        return None
    return said if isinstance(said, dict) else None


def fetched_configuration(
    name: str, commit: str, environment: Mapping[str, str]
) -> dict[str, Any] | None:
    """config.json of a hub model, a small file, which the cache keeps; None where the hub cannot
    be asked, or is not to be (HF_HUB_OFFLINE)."""
    if _offline(environment):
        return None
    with contextlib.suppress(Exception):  # starting the engine will say it better
        from huggingface_hub import hf_hub_download

        path = Path(hf_hub_download(name, "config.json", revision=commit, etag_timeout=20))
        return configuration(path.parent)
    return None


def stored_bytes(folder: Path) -> int | None:
    """What a model's weights take in its files; None where there are none.

    Files that the index does not name are another form of the same weights.
    """
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
        index = json.loads((folder / "model.safetensors.index.json").read_bytes())
        files = [folder / str(name) for name in set(index["weight_map"].values())]
        return sum(path.stat().st_size for path in files)
    for pattern in ("model*.safetensors", "*.safetensors", "pytorch_model*.bin"):
        total = sum(path.stat().st_size for path in folder.glob(pattern))
        if total:
            return total
    return None
