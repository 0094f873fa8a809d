"""The properties of a started engine, as it reports them itself."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from math import prod
from typing import Any, Self

from llmbatch.sizing.device import Device
from llmbatch.sizing.dimensions import Shape
from llmbatch.sizing.settings import EngineSettings, flag, reading, text, whole


def _built(kind: type[Device] | type[Shape]) -> Callable[[Any], Any]:
    """A reader of stored values of this kind; None for anything else."""

    def read(value: Any) -> Any:
        try:
            return kind.from_json(value)
        except (TypeError, KeyError, AttributeError):
            return None

    return read


def _counts(value: Any) -> dict[str, int] | None:
    if not isinstance(value, Mapping) or not all(whole(count) for count in value.values()):
        return None
    return dict(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineInfo(EngineSettings):
    """Every field may be None: the engine does not know it. Figures that are computed from it are
    then left out, or estimated; a field that is not None is true.

    Shown in reports, and left out there if None: `name` and `version` of the engine, `model`,
    `dtype` of its weights, and `device` in words.

    - `window`: the most requests that `run` holds at a time. None: `tune` does not notice that its
      sample is too small.
    - `max_model_len` (tokens of prompt and answer): rows that had no room are tried again by an
      engine that takes longer sequences. None: they are not tried again.
    - `max_num_seqs`, `max_num_batched_tokens`, and the settings of the cache: the forecasts of
      `plan` and of a run. None: vLLM's usual values. Without `block_size` and `prefix_caching` a
      run has no forecast of its cache hits.
    - `hardware`, `shape` and `weight_bytes`: the device with its count, the model's sizes, and what
      its weights take in the memory of all devices. None: the report has no share of the device's
      limit, and the next `plan` does not know where the job ran.
    - `parallelism`: devices in each way of dividing the work, whose product are all devices, where
      `hardware` does not count them. None: energy and load are measured of as many GPUs as the job
      declares.
    - `enforce_eager`: each step is launched piece by piece; an advice of the report depends on it.

    `settings`: everything that reports show, in this order and under the names of the stored
    JSON. It includes the fields, which are added where they are missing. Its other entries are for
    display: only the engine that reported them computes with them, and `tune` looks up the present
    value of an option.
    """

    name: str | None = field(default=None, metadata=reading(text, "engine"))
    version: str | None = field(default=None, metadata=reading(text))
    device: str | None = field(default=None, metadata=reading(text))
    dtype: str | None = field(default=None, metadata=reading(text))
    model: str | None = field(default=None, metadata=reading(text))
    parallelism: Mapping[str, int] | None = field(default=None, metadata=reading(_counts))
    window: int | None = field(default=None, metadata=reading(whole))
    enforce_eager: bool | None = field(default=None, metadata=reading(flag))
    hardware: Device | None = field(default=None, metadata=reading(_built(Device)))
    shape: Shape | None = field(default=None, metadata=reading(_built(Shape)))
    weight_bytes: int | None = field(default=None, metadata=reading(whole))
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        values = {
            each.metadata["key"] or each.name: getattr(self, each.name)
            for each in sorted(fields(self), key=lambda each: each.name in _SETTINGS)
            if each.metadata
        }
        known = {name: _plain(value) for name, value in values.items() if value is not None}
        object.__setattr__(self, "settings", {**self.settings, **known})

    @classmethod
    def from_json(cls, value: Mapping[str, Any] | None) -> Self:
        """From the result of `to_json`, which in other versions may lack fields or have others."""
        stored = value or {}
        return cls(**cls._values(stored), settings=stored)

    def to_json(self) -> dict[str, Any]:
        """The stored form."""
        return dict(self.settings)

    @property
    def device_count(self) -> int | None:
        """The number of devices in use; None if it is not known."""
        if self.hardware is not None:
            return self.hardware.count
        return prod(self.parallelism.values()) if self.parallelism else None


_SETTINGS = {each.name for each in fields(EngineSettings)}


def _plain(value: Any) -> Any:
    return asdict(value) if isinstance(value, Device | Shape) else value
