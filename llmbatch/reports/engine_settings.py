"""The settings of an engine as lines of a report."""

from collections.abc import Iterator, Mapping
from typing import Any

from llmbatch.core import units
from llmbatch.engines import pooling
from llmbatch.engines.info import EngineInfo
from llmbatch.reports import wording
from llmbatch.sizing.device import Device

# Settings that are shown in other words, or are not for reading.
_NOT_SHOWN = ("hardware", "shape", "weight_bytes", "grammar", "pooling")


def settings(description: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The names and values of the engine's description, one line each, with the device in words;
    values that are only for calculations are left out."""
    info = EngineInfo.from_json(description)
    device, weights = info.hardware, info.weight_bytes
    rest = {name: value for name, value in description.items() if name not in _NOT_SHOWN}
    return [
        *([] if device is None else [("hardware", _device(device))]),
        *([] if weights is None else [("weights", units.size(weights))]),
        *_numbers(description.get("pooling")),
        *_flat(rest),
    ]


def _numbers(stored: Any) -> list[tuple[str, str]]:
    """The way in which texts are made numbers, where they are."""
    return [("numbers", pooling.line(stored))] if isinstance(stored, Mapping) else []


def _device(device: Device) -> str:
    many = device.count > 1
    return (
        f"{f'{device.count} x ' if many else ''}{device.name}, {'each ' if many else 'memory '}"
        f"{units.size(device.memory_bytes)}, {wording.speeds(device.flops, device.bandwidth)} "
        f"({device.source})"
    )


def _flat(description: Mapping[str, Any], within: str = "") -> Iterator[tuple[str, str]]:
    for name, value in description.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{within}{name}: ")
        elif value is not None and not (isinstance(value, list) and len(value) > 16):
            yield f"{within}{name}", _setting(value)


def _setting(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    # Grouped, but for years and the like.
    grouped = isinstance(value, int) and abs(value) >= 10_000
    return f"{value:,}" if grouped else str(value)
