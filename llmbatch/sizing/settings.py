"""The settings of an engine that decide how much it holds and computes at a time."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Self

Read = Callable[[Any], Any]


def whole(value: Any) -> int | None:
    """A whole number; None for any other value."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def number(value: Any) -> float | None:
    """A number; None for any other value."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def flag(value: Any) -> bool | None:
    """True or False; None for any other value."""
    return value if isinstance(value, bool) else None


def text(value: Any) -> str | None:
    """A text; None for any other value."""
    return value if isinstance(value, str) else None


def reading(read: Read, key: str = "") -> dict[str, Any]:
    """Metadata of a field that JSON has under `key` (its own name); `read` gives None for a value
    of another kind."""
    return {"read": read, "key": key}


# Options with another name than the setting.
_OPTION_NAMES = {
    "enable_prefix_caching": "prefix_caching",
    "num_gpu_blocks_override": "kv_cache_blocks",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """Settings of an engine, each None where it is not known.

    `max_model_len`: tokens of the longest sequence, prompt and answer together; `max_num_seqs`:
    requests that run at a time (0: one after the other); `max_num_batched_tokens`: tokens
    computed in a step. `prefix_caching`: requests share the common beginnings of their prompts;
    `block_size`: tokens in a block of the cache; `kv_cache_blocks`, `kv_cache_tokens`: the size of
    the cache; `kv_cache_dtype`: the type of its numbers ("auto": the model's own);
    `kv_cache_memory_bytes`: what each device gives to it, or `gpu_memory_utilization`: the share
    (0..1) of a device's memory for all. `pipeline_parallel_size`: into how many parts the layers
    are divided, each on devices of its own.
    """

    max_model_len: int | None = field(default=None, metadata=reading(whole))
    max_num_seqs: int | None = field(default=None, metadata=reading(whole))
    max_num_batched_tokens: int | None = field(default=None, metadata=reading(whole))
    prefix_caching: bool | None = field(default=None, metadata=reading(flag))
    block_size: int | None = field(default=None, metadata=reading(whole))
    kv_cache_blocks: int | None = field(default=None, metadata=reading(whole))
    kv_cache_tokens: int | None = field(default=None, metadata=reading(whole))
    kv_cache_dtype: str | None = field(default=None, metadata=reading(text))
    kv_cache_memory_bytes: int | None = field(default=None, metadata=reading(whole))
    gpu_memory_utilization: float | None = field(default=None, metadata=reading(number))
    pipeline_parallel_size: int | None = field(default=None, metadata=reading(whole))

    @classmethod
    def from_json(cls, value: Mapping[str, Any] | None) -> Self:
        """From stored names and values; a missing value, or one of another kind, is not known."""
        return cls(**cls._values(value or {}))

    @classmethod
    def _values(cls, stored: Mapping[str, Any]) -> dict[str, Any]:
        return {
            each.name: each.metadata["read"](stored.get(each.metadata["key"] or each.name))
            for each in fields(cls)
            if each.metadata
        }

    @classmethod
    def from_options(cls, options: Mapping[str, Any]) -> Self:
        """The settings that are given as options, under vLLM's names."""
        return cls.from_json({
            _OPTION_NAMES.get(name, name): value for name, value in options.items()
        })  # fmt: skip

    def updated(self, other: "EngineSettings") -> "EngineSettings":
        """These settings, replaced by those that are known in `other`."""
        names = [each.name for each in fields(EngineSettings)]
        known = {name for name in names if getattr(other, name) is not None}
        return EngineSettings(
            **{name: getattr(other if name in known else self, name) for name in names}
        )
