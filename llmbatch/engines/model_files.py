"""The files of a local model: their fingerprint, configuration and size.

A model's answers are stored under its fingerprint, so it must change whenever the weights, the
tokenizer or the chat template do, and must not change when the folder is moved.
"""

import contextlib
import hashlib
import json
import re
import stat
from pathlib import Path
from typing import Any

from llmbatch.core.errors import UsageError
from llmbatch.engines import digests

HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
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
    is_weights = stat.S_ISREG(mode) and path.suffix == ".gguf"
    if not (written_as_path or is_weights or stat.S_ISDIR(mode)):
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
    """True for a folder; any name may be given, however long or odd."""
    try:
        return path.is_dir()
    except OSError:
        return False


def has_only_gguf(folder: Path) -> bool:
    """True for a folder whose weights are there in the form of llama.cpp alone."""
    return stored_bytes(folder) is None and any(folder.glob("*.gguf"))


def _mode(path: Path) -> int:
    """The type and permission bits of a file (`st_mode`); 0 where there is none."""
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
        hashes = digests.shared().compute([folder / name for name in names])
    except OSError as error:
        raise UsageError(f"model {str(folder)!r}: cannot be read: {error}") from error
    lines = (f"{name}\0{digest}\n" for name, digest in zip(names, hashes, strict=True))
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
    """True if the model brings Python code that an engine would run (`auto_map`)."""
    config = folder / "config.json"
    try:
        return config.is_file() and "auto_map" in json.loads(config.read_bytes())
    except ValueError as error:
        raise UsageError(f"model {str(folder)!r}: config.json is not JSON: {error}") from error


def configuration(folder: Path) -> dict[str, Any] | None:
    """The contents of config.json; None where it cannot be read."""
    try:
        config = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError):
        return None
    return config if isinstance(config, dict) else None


def stored_bytes(folder: Path) -> int | None:
    """Bytes of the files with a model's weights; None where there are none.

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
