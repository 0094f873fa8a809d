"""This machine and the installed vLLM, as far as they decide which options work."""

import functools
import importlib.metadata
import importlib.util
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from llmbatch.engines.vllm import defaults, versions
from llmbatch.sizing import cpu, nvidia

_NODES = Path("/sys/devices/system/node")
_BINDING = "VLLM_CPU_OMP_THREADS_BIND"
_QUANTIZATION = Path("model_executor", "layers", "quantization", "__init__.py")
_CPU_ATTENTION = Path("v1", "attention", "backends", "cpu_attn.py")
_ATTENTION = Path("v1", "attention", "backends", "registry.py")
_SPECULATION = Path("config", "speculative.py")
_PLUGINS = "vllm.general_plugins"


@dataclass(frozen=True, slots=True)
class Here:
    """`is_cpu`: vLLM's CPU build is installed. `has_tiles`: the CPU multiplies tiles (AMX).
    `groups`: how many tensor-parallel parts the CPU's threads can be bound to. `gpus`: that CUDA
    sees; `capability`: of the first one, None where it is not known.

    Of the installed vLLM's source, each empty where it is not found there: `attention_backends`,
    `quantizations`, `speculations` (their names), `cpu_caches` (values of `kv_cache_dtype` that its
    CPU backend holds). `plugins`: packages that may bring further ones; `modules`: those of
    Python that an option needs, by name, and whether they are there.
    """

    is_cpu: bool
    has_tiles: bool = False
    groups: int = 1
    gpus: int = 0
    capability: tuple[int, int] | None = None
    attention_backends: tuple[str, ...] = ()
    quantizations: tuple[str, ...] = ()
    speculations: tuple[str, ...] = ()
    cpu_caches: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()
    modules: Mapping[str, bool] = field(default_factory=dict)


@functools.cache
def look() -> Here:
    """Look at this machine, once. Nothing of vLLM is imported."""
    is_cpu = defaults.is_cpu_build()
    gpus = [] if is_cpu else nvidia.installed()
    return Here(
        is_cpu=is_cpu,
        has_tiles="amx_tile" in cpu.flags(),
        groups=_groups(),
        gpus=len(nvidia.visible()) if gpus else 0,
        capability=gpus[0].capability if gpus else None,
        attention_backends=_members(_read(_ATTENTION), "AttentionBackendEnum"),
        quantizations=_words(_read(_QUANTIZATION), "QuantizationMethods"),
        speculations=_speculations(_read(_SPECULATION)),
        cpu_caches=_strings(_read(_CPU_ATTENTION), r"supported_kv_cache_dtypes[^=]*= *\["),
        plugins=_plugins(),
        modules={
            name: importlib.util.find_spec(name) is not None
            for name in ("arctic_inference", "lmcache")
        },
    )


def _groups() -> int:
    """Groups of cores: those of the user, else the memory nodes."""
    bound = os.environ.get(_BINDING, "")
    if bound and bound not in ("auto", "nobind"):
        return len(bound.split("|"))
    return max(1, sum(1 for _ in _NODES.glob("node[0-9]*")))


def _read(part: Path) -> str:
    folder = versions.source()
    try:
        return (folder / part).read_text(encoding="utf-8") if folder is not None else ""
    except OSError:  # versions differ
        return ""


def _words(text: str, alias: str) -> tuple[str, ...]:
    """The words of a type that is a list of words."""
    return _strings(text, rf"^{alias}\s*=\s*Literal\[")


def _strings(text: str, begin: str) -> tuple[str, ...]:
    found = re.search(rf"{begin}([^\]]*)\]", text, re.M)
    return tuple(re.findall(r"""["']([^"']*)["']""", found[1])) if found else ()


def _speculations(text: str) -> tuple[str, ...]:
    """The methods, of which some are in lists of their own."""
    lists = re.findall(r"^(\w+Types|SpeculativeMethod)\s*=", text, re.M)
    found = dict.fromkeys(word for alias in lists for word in _words(text, alias))
    return tuple(found) if "SpeculativeMethod" in lists else ()


def _members(text: str, name: str) -> tuple[str, ...]:
    """The members of an enumeration."""
    begun = re.search(rf"^class {name}\b.*\n", text, re.M)
    body = text[begun.end() :] if begun else ""
    ended = re.search(r"^\S", body, re.M)
    return tuple(
        re.findall(r"^    ([A-Z][A-Z0-9_]*) = ", body[: ended.start() if ended else None], re.M)
    )


def _plugins() -> tuple[str, ...]:
    found = importlib.metadata.entry_points(group=_PLUGINS)
    return tuple(sorted({each.name for each in found}))
