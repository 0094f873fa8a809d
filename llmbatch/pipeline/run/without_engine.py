"""The counters of a run without an engine."""

from dataclasses import asdict

from llmbatch.core import latency_histogram
from llmbatch.engines.base import Telemetry


def telemetry(rows: int) -> dict[str, object]:
    """The counters of a run that took so many rows from elsewhere."""
    counted = asdict(Telemetry())
    del counted["held_back_until"]
    more = {"rows": rows, "latency": list(latency_histogram.empty()), "resources": None}
    return counted | more
