"""The values that vLLM takes for its options, as far as that is known without importing it.

vLLM looks at them when it starts, which is a minute later. Words that an option may have are read
in the installed version's source; bounds are those of all versions that llmbatch drives.
"""

import functools
import re
from collections.abc import Mapping
from typing import Any

from llmbatch.core.errors import nearest
from llmbatch.engines.vllm import versions

_COUNTS = frozenset(
    {
        "block_size",
        "decode_context_parallel_size",
        "kv_cache_memory_bytes",
        "mamba_block_size",
        "max_lora_rank",
        "max_loras",
        "max_num_active_seqs",
        "max_num_batched_tokens",
        "max_num_scheduled_tokens",
        "max_num_seqs",
        "max_parallel_loading_workers",
        "num_gpu_blocks_override",
        "pipeline_parallel_size",
        "prefill_context_parallel_size",
        "stream_interval",
        "tensor_parallel_size",
    }
)
# From and to; of a share the first is not allowed itself.
_RANGES: Mapping[str, tuple[float, float]] = {"gpu_memory_utilization": (0, 1)}
_NUMBERS = {"int", "float", "bool", "None"}
_WORDS = {"bool": "true or false", "int": "a whole number", "float": "a number"}
# A size with a unit, and a length that vLLM chooses by itself.
_OWN_FORMS = {"max_model_len"}
_LONGEST_SHOWN = 80


def fault(name: str, value: Any, annotation: str) -> str | None:
    """The fault of the value of an option, whose type is written as `annotation` ("": not
    known); None if nothing is."""
    if value is None:
        return None
    kinds = {part.strip() for part in annotation.split("|")} - {""}
    shown = repr(value)[:_LONGEST_SHOWN]
    if kinds and kinds <= _NUMBERS and name not in _OWN_FORMS and not _is_number(value, kinds):
        wanted = " or ".join(word for kind, word in _WORDS.items() if kind in kinds)
        return f"must be {wanted} (got {shown})"
    if kinds - {"None"} and all(kind.startswith("dict[") for kind in kinds - {"None"}):
        is_table = isinstance(value, Mapping)
        return None if is_table else f"must be a table, such as {{name = 1}} (got {shown})"
    if isinstance(value, str) and len(kinds - {"None"}) == 1:
        words = choices(next(iter(kinds - {"None"})))
        if words and value not in words:
            return f"must be one of {', '.join(words)}{nearest(value, words)} (got {shown})"
    return _out_of_bounds(name, value, shown)


def _is_number(value: Any, kinds: set[str]) -> bool:
    if isinstance(value, bool):
        return "bool" in kinds
    is_whole = isinstance(value, int) and not {"int", "float"}.isdisjoint(kinds)
    return is_whole or (isinstance(value, float) and "float" in kinds)


def _out_of_bounds(name: str, value: Any, shown: str) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if name in _COUNTS and value < 1:
        return f"must be 1 or more (got {shown})"
    if name == "max_model_len" and value < 1 and value != -1:
        return f"must be 1 or more tokens, or -1 for the most that fit (got {shown})"
    low, high = _RANGES.get(name, (float("-inf"), float("inf")))
    if not low < value <= high:
        return f"must be above {low:g}, {high:g} at most (got {shown})"
    return None


@functools.cache
def choices(alias: str) -> tuple[str, ...]:
    """The words that a type of vLLM's configuration consists of, by its name; empty where it is
    another one, or vLLM is not installed."""
    folder = versions.source()
    if folder is None or not alias.isidentifier():
        return ()
    written = re.compile(rf"^{alias}\s*=\s*Literal\[([^\]]*)\]", re.M)
    for path in sorted((folder / "config").glob("*.py")):
        if found := written.search(path.read_text(encoding="utf-8")):
            return tuple(re.findall(r"""["']([^"']*)["']""", found[1]))
    return ()
