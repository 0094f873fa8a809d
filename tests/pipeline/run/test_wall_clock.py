"""A wall clock that is set while a run works: durations, sums and orders are those of the clock
that is never set."""

import json
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Self

import pytest

from llmbatch.core import clock
from llmbatch.core.clock import Moment
from llmbatch.core.errors import EngineError
from llmbatch.core.outcomes import Lost, Outcome
from llmbatch.core.records import Request
from llmbatch.engines.config import EngineConfig
from llmbatch.job.folder import JobPaths
from llmbatch.pipeline.monitoring import status
from llmbatch.pipeline.monitoring.status import StatusFile
from llmbatch.pipeline.run import supervisor
from llmbatch.reports import renderers
from llmbatch.reports.report import Report
from llmbatch.store import history
from llmbatch.store.opening import open_store
from tests.cli import reported
from tests.scripted_engine import Options, ScriptedEngine

PAID = {"price_per_hour": 3600.0}
STEPS = [timedelta(seconds=-60), timedelta(days=2), timedelta(days=-2)]


class Wall(datetime):
    """The machine's clock, `ahead` of the real time."""

    ahead = timedelta(0)

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime.now(tz) + cls.ahead


class Steps(ScriptedEngine):
    """The clock is set while it starts, after each answer, and while it dies, each time as far."""

    step = timedelta(0)

    def __enter__(self) -> Self:
        Wall.ahead += self.step
        return super().__enter__()

    def run(self, requests: Iterable[Request]) -> Iterator[Outcome | Lost]:
        try:
            for outcome in super().run(requests):
                yield outcome
                Wall.ahead += self.step
        except EngineError:
            Wall.ahead += self.step
            raise


def engine(config: EngineConfig) -> Steps:
    """The job's engine: it dies once after two answers."""
    counter = str(config.options["counter"])
    return Steps(config, Options(delay=0.02, die_after=2, die_times=1, counter=counter))


@dataclass(frozen=True)
class Worked:
    """A run during which the clock was set many times: its job, its report, how long it was."""

    job: JobPaths
    report: Report
    seconds: float


@pytest.fixture(scope="module", params=STEPS, ids=str)
def worked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Worked:
    folder = tmp_path_factory.mktemp("set")
    began = clock.seconds()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "datetime", Wall)
        patch.setattr(Wall, "ahead", timedelta(0))
        patch.setattr(Steps, "step", request.param)
        report = reported.work(
            folder,
            ["a", "b", "c", "d"],
            engine={"name": f"{__name__}:engine"},
            cost=PAID,
            run={"checkpoint_rows": 1},
        )
    return Worked(JobPaths(folder / "out.llmbatch"), report, clock.seconds() - began)


def check(report: Report, lasted: float) -> None:
    """Everything that the report tells of the only run lies within the run."""
    (run,) = report.runs
    assert 0 < run.seconds <= lasted
    assert run.cost == pytest.approx(run.seconds)
    parts = (run.prepare_seconds, run.engine_start_seconds, run.generate_seconds)
    assert all(0 <= part <= run.seconds for part in parts)
    assert run.generate_seconds >= 4 * 0.02
    assert 0 < run.deaths[0].seconds < run.seconds
    timeline = report.details.timeline
    assert timeline is not None
    kinds = [mark.kind for mark in timeline.marks]
    assert [kind for kind in kinds if kind.startswith("engine")] == [
        "engine ready",
        "engine died",
        "engine restarted",
    ]
    assert kinds[-1] in ("ended", "stopped")
    assert all(0 <= mark.at <= run.seconds for mark in timeline.marks)
    assert all(0 < point.seconds <= run.seconds for point in timeline.points)
    assert all(0 <= line.first_at <= line.last_at <= run.seconds for line in timeline.chunks)


def test_no_duration_is_of_the_wall_clock(worked: Worked) -> None:
    check(worked.report, worked.seconds)


@pytest.mark.parametrize("style", ["text", "json", "markdown", "html"])
def test_every_form_of_the_report_can_be_made(worked: Worked, style: str) -> None:
    shown = renderers.render(worked.report, style)
    assert "USD -" not in shown
    assert "-0." not in shown.partition("<svg")[0]
    if style == "json":
        told = json.loads(shown)["last_run"]
        assert 0 < told["device_hours"] * 3600 < worked.seconds
        assert told["cost"] == pytest.approx(told["seconds"])


def test_a_killed_run_ends_at_its_last_sign(worked: Worked, tmp_path: Path) -> None:
    """Its end was not recorded, so it is that of its last checkpoint."""
    store = Path(shutil.copytree(worked.job.state, tmp_path / "killed")) / worked.job.store.name
    with open_store(store) as db:
        db.execute("DELETE FROM run_ends")
    report = reported.read(store)
    check(report, worked.seconds)
    (run,), (ended,) = report.runs, worked.report.runs
    assert run.seconds <= ended.seconds
    assert run.engine_restarts == 1
    assert run.generate_seconds == pytest.approx(ended.generate_seconds, abs=0.5)


def test_the_live_view_ends_with_what_the_report_tells(worked: Worked) -> None:
    seen = status.read(worked.job)
    assert seen["elapsed_seconds"] == worked.report.last_run.seconds
    assert seen["cost"] == pytest.approx(worked.report.last_run.cost)


def test_what_the_next_plan_learns(worked: Worked, tmp_path: Path) -> None:
    with open_store(worked.job.store, read_only=True) as db:
        assert 0 < supervisor.last_start(db) < worked.seconds
    with open_store(tmp_path / "job.duckdb", beside=worked.job.state) as db:
        past = history.pending_work(db, worked.job.store, lambda _: True).history
    assert past.runs[0].seconds == worked.report.last_run.seconds


def test_older_records_have_the_wall_clock_only(tmp_path: Path) -> None:
    """If it was set back meanwhile, the time is unknown: it counts as zero, never as less."""
    report = reported.work(tmp_path, ["a"], cost=PAID)
    store = JobPaths(tmp_path / "out.llmbatch").store
    with open_store(store) as db:
        for table, name in (("runs", "started"), ("run_ends", "ended")):
            db.execute(f"UPDATE {table} SET {name}_seconds = NULL")
    (old,) = reported.read(store).runs
    assert old.seconds == pytest.approx((old.ended_at - old.started_at).total_seconds())
    assert old.seconds == pytest.approx(report.last_run.seconds, abs=0.1)
    with open_store(store) as db:
        db.execute("UPDATE run_ends SET ended_at = ended_at - INTERVAL 1 HOUR")
    (back,) = reported.read(store).runs
    assert (back.seconds, back.cost) == (0.0, 0.0)


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_the_age_of_the_live_view(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: timedelta
) -> None:
    monkeypatch.setattr(clock, "datetime", Wall)
    job = JobPaths(tmp_path)
    StatusFile(job).phase("generating")
    monkeypatch.setattr(Wall, "ahead", step)
    seen = status.read(job)
    assert 0 <= status.age(seen) < 10
    # Seen from another machine, only the wall clock tells.
    elsewhere = seen | {"clock": "another"}
    assert status.age(elsewhere) == pytest.approx(max(0.0, step.total_seconds()), abs=10)


@pytest.mark.parametrize(
    ("earlier", "later", "seconds"),
    [
        (Moment(datetime(2026, 1, 2), 1.0), Moment(datetime(2026, 1, 1), 3.5), 2.5),
        (Moment(datetime(2026, 1, 1), None), Moment(datetime(2026, 1, 2), None), 86_400),
        (Moment(datetime(2026, 1, 1), None), Moment(datetime(2026, 1, 2), 3.0), 86_400),
        (Moment(datetime(2026, 1, 2), None), Moment(datetime(2026, 1, 1), None), 0),
    ],
)  # fmt: skip
def test_the_seconds_between_two_moments(earlier: Moment, later: Moment, seconds: float) -> None:
    assert later.since(earlier) == seconds
