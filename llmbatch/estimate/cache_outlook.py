"""The outlook on the prefix cache: in planned order, in input order, with another template."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from llmbatch.core.records import Message
from llmbatch.engines.base import Engine, why_not_encoded
from llmbatch.engines.info import EngineInfo
from llmbatch.estimate import cache_forecast, template_advice
from llmbatch.estimate.cache_forecast import CacheAssumptions, Encode, Forecast
from llmbatch.estimate.template_advice import Advice
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.prompts.ready_job import ReadyJob
from llmbatch.pipeline.prompts.rendering import Renderer
from llmbatch.sizing.settings import EngineSettings
from llmbatch.store import history, plans
from llmbatch.store.database import Database
from llmbatch.store.history import JobHistory, PendingWork

NOTHING_TO_DO = "there is nothing to do"


@dataclass(frozen=True, slots=True)
class CacheOutlook:
    """The forecast of the requests to do, in `planned` order and as they come: `as_input`, with
    the fields of a record in the input's order, too. Both are None for the reason in `unknown`."""

    planned: Forecast | None = None
    as_input: Forecast | None = None
    advice: Advice | None = None
    unknown: str | None = None


def look_ahead(
    db: Database,
    job: ReadyJob,
    order: Sequence[str],
    pending: PendingWork,
    assumed: CacheAssumptions,
    engine: Engine,
    encode: Encode,
) -> CacheOutlook:
    """The outlook for the pending part of the plan in `db`. `order`: of a record's fields;
    `assumed`: the cache that the forecast is for; `engine`: one that is not started, and `encode`
    its encoding."""
    if not pending.positions:
        return CacheOutlook(unknown=NOTHING_TO_DO)
    if not cache_forecast.can_encode(encode):
        reason = why_not_encoded(engine)
        because = f": {reason}" if reason else ""
        return CacheOutlook(
            unknown=f"the engine cannot tell a prompt's tokens before it is started{because}"
        )
    ranges = cache_forecast.choose_ranges(len(pending.rows))
    data = [_rows(db, pending.rows, indexes) for indexes in ranges]
    return CacheOutlook(
        _planned(db, pending, assumed, encode),
        _as_input(job, data, pending, assumed, encode),
        template_advice.give(job, order, data, len(pending.rows), assumed, encode),
    )


def assume(
    spec: JobSpec, past: JobHistory, settings: EngineSettings, last: EngineInfo
) -> CacheAssumptions:
    """The cache of the next engine: as the job's `last` one on this device, with the present
    `settings`, as far as they are known before it is started."""
    answers = cache_forecast.answer_lengths(spec, past.answers)
    return cache_forecast.assume_before_start(last, settings, answers)


def _rows(db: Database, rows: Sequence[int], indexes: range) -> list[str]:
    return history.rows_at(db, rows[indexes.start : indexes.stop])


def _planned(
    db: Database, pending: PendingWork, assumed: CacheAssumptions, encode: Encode
) -> Forecast | None:
    stretches = []
    for indexes in cache_forecast.choose_ranges(len(pending.positions)):
        stretch = plans.requests_at(db, pending.positions[indexes.start : indexes.stop])
        chats = cache_forecast.read_chats(planned.messages for planned in stretch)
        stretches.append(cache_forecast.encode_stretch(encode, chats))
    return cache_forecast.predict(stretches, len(pending.positions), assumed)


def _as_input(
    job: ReadyJob,
    data: list[list[str]],
    pending: PendingWork,
    assumed: CacheAssumptions,
    encode: Encode,
) -> Forecast | None:
    as_user = job.spec.template.system_as_user
    with Renderer(job.prompt, system_as_user=as_user) as renderer:
        stretches = [
            cache_forecast.encode_stretch(encode, _rendered(renderer, rows)) for rows in data
        ]
    return cache_forecast.predict(stretches, len(pending.rows), assumed)


def _rendered(renderer: Renderer, rows: Sequence[str]) -> Iterator[list[Message]]:
    return (made for made in renderer.render(rows) if isinstance(made, list))
