"""A run notes what its forecaster expects, and expects nothing without one."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from llmbatch.cli.narration import Silent
from llmbatch.engines.base import Engine
from llmbatch.engines.info import EngineInfo
from llmbatch.job import folder
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.run import execute, preflight
from llmbatch.pipeline.run.forecast_seam import NoForecaster
from llmbatch.store import run_records
from llmbatch.store.database import Database
from llmbatch.store.opening import open_store
from tests.workbench import two_rows


class Recorder(NoForecaster):
    """Expects as many requests as there are, once the engine has started."""

    calls: list[str]

    def __init__(
        self, db: Database, spec: JobSpec, positions: Sequence[int], engine: Engine
    ) -> None:
        self.calls = []
        self._requests = len(positions)
        self._made: dict[str, Any] | None = None

    def begin(self) -> None:
        self.calls.append("begin")

    def ready(self, info: EngineInfo) -> None:
        self.calls.append("ready")
        self._made = {"requests": self._requests, "slots": info.max_num_seqs}

    def take(self) -> Mapping[str, Any] | None:
        made, self._made = self._made, None
        return made

    def end(self) -> None:
        self.calls.append("end")


def forecasts(spec: JobSpec) -> list[dict[str, Any]]:
    with open_store(folder.paths_for(spec).store, read_only=True) as db:
        return [made.forecast for made in run_records.forecasts(db)]


def test_a_run_notes_what_its_forecaster_expects(tmp_path: Path) -> None:
    spec, made = two_rows(tmp_path), list[Recorder]()

    def make(*parts: Any) -> Recorder:
        made.append(Recorder(*parts))
        return made[-1]

    execute.execute(preflight.make_ready(spec), Silent(), forecaster=make)
    assert [forecast["requests"] for forecast in forecasts(spec)] == [2]
    assert made[0].calls == ["begin", "ready", "end"]


def test_a_run_without_a_forecaster_notes_nothing(tmp_path: Path) -> None:
    spec = two_rows(tmp_path)
    execute.execute(preflight.make_ready(spec), Silent())
    assert forecasts(spec) == []
