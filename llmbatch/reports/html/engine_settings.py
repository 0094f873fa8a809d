"""What a report's page says of the engine and the machine."""

from collections.abc import Iterator, Mapping
from typing import Any

from llmbatch.core import units
from llmbatch.reports.report import Report
from llmbatch.sizing.device import Device

_JOULES_IN_KWH = 3_600_000
# Of what an engine says of itself: told in other words, or not for reading.
_NOT_SHOWN = ("hardware", "shape", "weight_bytes")


def resources(report: Report) -> list[tuple[str, str]]:
    """What the last run used of the machine, as far as it was measured."""
    used = report.resources
    if used is None:
        return []
    found = [
        ("CPU time", units.seconds(used.cpu_seconds)),
        ("peak memory", units.size(used.peak_memory_bytes)),
    ]
    if used.gpu_utilization is not None:
        found.append(("GPU utilization, mean", units.share(used.gpu_utilization)))
    if used.gpu_memory_bytes is not None:
        found.append(("GPU memory", units.size(used.gpu_memory_bytes)))
    if used.energy_joules is not None:
        found.append(("energy", f"{units.significant(used.energy_joules / _JOULES_IN_KWH, 4)} kWh"))
    return found


def settings(description: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the engine says of itself, one line each; what is for calculating is left out, the
    device is in words."""
    device = Device.from_json(description.get("hardware"))
    weights = description.get("weight_bytes")
    rest = {name: value for name, value in description.items() if name not in _NOT_SHOWN}
    return [
        *([] if device is None else [("hardware", _device(device))]),
        *([] if weights is None else [("weights", units.size(weights))]),
        *((name.replace("_", " "), value) for name, value in _flat(rest)),
    ]


def _device(device: Device) -> str:
    many = device.count > 1
    return (
        f"{f'{device.count} x ' if many else ''}{device.name}, {'each ' if many else 'memory '}"
        f"{units.size(device.memory_bytes)}, {speeds(device.flops, device.bandwidth)} "
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


def speeds(flops: float, bandwidth: float) -> str:
    """What a device can do at best, of FLOP/s and bytes a second."""
    compute = units.significant(flops / 1e12, 3)
    return f"{compute} TFLOP/s, {units.significant(bandwidth / 1e9, 3)} GB/s"
