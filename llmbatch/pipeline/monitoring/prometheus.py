"""The metrics file: a run for Prometheus, as node_exporter's textfile collector reads it.

Names and units follow https://prometheus.io/docs/practices/naming/. Every value is of the last
run, so counters begin again with each; an unknown value is left out.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmbatch.core import clock, files
from llmbatch.core.errors import UsageError
from llmbatch.core.version import VERSION
from llmbatch.job.folder import JobPaths
from llmbatch.job.spec import JobSpec
from llmbatch.job.targets import Target

if TYPE_CHECKING:
    from prometheus_client.core import Metric

_SUFFIX = ".prom"
_BEGINNING = b"# HELP llmbatch_"
_INTERVAL = 5.0
_LAST_SUCCESS = re.compile(r"^llmbatch_last_success_timestamp_seconds\{.*\} (\S+)$", re.M)


@dataclass(frozen=True, slots=True)
class _Metric:
    """A metric, where its value is in the live view, and its help. With a `label`, the value is a
    table of values by that label. `counts`: it only grows during a run."""

    name: str
    place: str
    text: str
    label: str | None = None
    counts: bool = False


_METRICS = (
    _Metric("run_phase", "phases", "What it is doing: 1.", "phase"),
    _Metric("rows", "rows", "Rows of the input by what became of them.", "state"),
    _Metric("cost", "costs", "Cost of the run.", "currency", counts=True),
    _Metric("projected_cost", "projected_costs", "What it will be in the end.", "currency"),
    _Metric("run_start_timestamp_seconds", "started_at", "When the last run began."),
    _Metric("run_end_timestamp_seconds", "ended_at", "When it ended; absent while it runs."),
    _Metric("run_exit_code", "exit_code", "Its exit code; absent while it runs."),
    _Metric("run_success", "success", "1 if its exit code is 0, else 0; absent while it runs."),
    _Metric("run_duration_seconds", "elapsed_seconds", "How long it has lasted."),
    _Metric("run_update_timestamp_seconds", "updated_at",
            "When it last reported. Alert on its age while there is no run_exit_code: a run "
            "that was killed says nothing more."),
    _Metric("last_success_timestamp_seconds", "last_success_at",
            "When a run of the job last ended with exit code 0."),
    _Metric("remaining_seconds", "eta_seconds", "Time left at the present rate."),
    _Metric("prompt_tokens", "progress.prompt_tokens",
            "Tokens of prompts, those from the prefix cache included.", counts=True),
    _Metric("cached_prompt_tokens", "progress.cached_tokens",
            "Tokens of prompts that the prefix cache served.", counts=True),
    _Metric("output_tokens", "progress.output_tokens", "Tokens of answers.", counts=True),
    _Metric("cache_usage_ratio", "progress.cache_usage",
            "Used part of the engine's cache of keys and values."),
    _Metric("running_requests", "progress.running", "Requests in the engine's batch."),
    _Metric("waiting_requests", "progress.waiting", "Requests that wait in the engine."),
    _Metric("engine_restarts", "engine_restarts", "Starts of an engine after the first.",
            counts=True),
    _Metric("cpu_seconds", "resources.cpu_seconds", "Processor time of the run's processes.",
            counts=True),
    _Metric("memory_bytes", "resources.memory_bytes", "Resident memory of the run's processes."),
    _Metric("peak_memory_bytes", "resources.peak_memory_bytes", "The most of it so far."),
    _Metric("gpu_utilization_ratio", "resources.gpu_utilization",
            "Mean utilisation of the devices over the run."),
    _Metric("gpu_memory_bytes", "resources.gpu_memory_bytes", "Used memory of the devices."),
    _Metric("energy_joules", "resources.energy_joules", "What the devices have used.",
            counts=True),
)  # fmt: skip


class MetricsFile:
    """Writes the file, whole at every moment, every five seconds and when something happens.

    A file that cannot be written never stops a run; it is reported once, through `warn`.
    """

    def __init__(self, path: Path, labels: Mapping[str, str], warn: Callable[[str], None]) -> None:
        """`labels`: names of the job and the run; `job_name` is a label of every metric."""
        self._path = path
        self._labels = {name: _printable(value) for name, value in labels.items()}
        self._warn = warn
        self._warned = False
        self._written = float("-inf")
        self._last_success = _earlier_success(path)

    def show(self, view: Mapping[str, Any], *, at_once: bool) -> None:
        """Write the values of the live view, at most every five seconds unless `at_once`."""
        if not at_once and clock.seconds() - self._written < _INTERVAL:
            return
        from prometheus_client import generate_latest

        self._written = clock.seconds()
        try:
            collector = _RunCollector(self._labels, self._known(view))
            files.replace_text(files.behind_link(self._path), generate_latest(collector).decode())
        except OSError as error:
            if not self._warned:
                self._warned = True
                self._warn(f"warning: {self._path}: cannot be written: {error.strerror}")

    def _known(self, view: Mapping[str, Any]) -> dict[str, Any]:
        """The live view with the values that follow from it."""
        known = dict(view)
        if known.get("last_success_at") is None:
            known["last_success_at"] = self._last_success
        if "exit_code" in known:
            known["ended_at"] = known.get("ended_at", known["updated_at"])
            known["success"] = int(known["exit_code"] == 0)
            if known["success"]:
                known["last_success_at"] = known["ended_at"]
            known |= {"eta_seconds": None, "projected_cost": None}
        currency = str(known.get("currency", ""))
        return known | {
            "phases": {str(known["phase"]): 1},
            "costs": {currency: known.get("cost")},
            "projected_costs": {currency: known.get("projected_cost")},
        }


class _RunCollector:
    """The known values of a run, as prometheus_client collects them.

    Its own counters and gauges would keep the values: they cannot be set back or left out, and add
    up over everything in a process where PROMETHEUS_MULTIPROC_DIR is set.
    """

    def __init__(self, labels: Mapping[str, str], known: Mapping[str, Any]) -> None:
        self._job = labels["job_name"]
        self._about = {name: text for name, text in labels.items() if name != "job_name"}
        self._known = known

    def collect(self) -> Iterator["Metric"]:
        from prometheus_client import core

        about = core.InfoMetricFamily("llmbatch_run", "What was run.", labels=["job_name"])
        about.add_metric([self._job], self._about)
        yield about
        for metric in _METRICS:
            kind = core.CounterMetricFamily if metric.counts else core.GaugeMetricFamily
            more = [metric.label] if metric.label else []
            family = kind(f"llmbatch_{metric.name}", metric.text, labels=["job_name", *more])
            found = _at(self._known, metric.place)
            for label, value in (found or {}).items() if metric.label else [("", found)]:
                if value is not None:
                    labels = [self._job, label] if metric.label else [self._job]
                    family.add_metric(labels, _number(value))
            if family.samples:
                yield family


def target(path: str, *, overwrite: bool = False) -> Target:
    """The file, to be looked at before a run. `overwrite`: it may replace any file."""
    return Target("metrics file", Path(path), lambda path: overwrite or _is_ours(path))


def _is_ours(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(len(_BEGINNING)) == _BEGINNING


def check(spec: JobSpec) -> None:
    """Raise UsageError if no collector would read a metrics file of that name."""
    if spec.run.metrics_file is None:
        return
    path = Path(spec.run.metrics_file)
    if path.name == _SUFFIX:
        raise UsageError(f"metrics file {path}: there must be a name before {_SUFFIX}")
    if path.suffix != _SUFFIX:
        raise UsageError(f"metrics file {path}: must end in {_SUFFIX}, or it is not collected")


def metrics_file(
    spec: JobSpec, paths: JobPaths, host: str, warn: Callable[[str], None]
) -> MetricsFile | None:
    """The metrics file of a job, if it asks for one."""
    if spec.run.metrics_file is None:
        return None
    labels = {
        "job_name": Path(spec.output).name if spec.state is None else paths.state.name,
        "version": VERSION,
        "model": spec.model,
        "engine": spec.engine.name,
        "host": host,
        "output": spec.output,
    }
    return MetricsFile(Path(spec.run.metrics_file), labels, warn)


def _earlier_success(path: Path) -> float | None:
    """The last success (seconds of the Unix epoch) in the file of an earlier run."""
    with suppress(OSError, ValueError):
        found = _LAST_SUCCESS.findall(path.read_text(encoding="utf-8"))
        return float(found[-1]) if found else None
    return None


def _at(known: Mapping[str, Any], place: str) -> Any:
    value: Any = known
    for name in place.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _number(value: Any) -> float:
    """A time as seconds of the Unix epoch, any other number as it is."""
    return datetime.fromisoformat(value).timestamp() if isinstance(value, str) else float(value)


def _printable(text: str) -> str:
    """Names of files may hold bytes that are no UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()
