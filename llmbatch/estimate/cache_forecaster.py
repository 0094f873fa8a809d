"""The forecast of a run, made while its first engine starts."""

import queue
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from llmbatch.core.records import Message
from llmbatch.engines.base import Engine
from llmbatch.engines.info import EngineInfo
from llmbatch.estimate import cache_forecast
from llmbatch.estimate.cache_forecast import Forecast, Stretch
from llmbatch.job.spec import JobSpec
from llmbatch.store import history, plans
from llmbatch.store.database import Database


class Forecaster:
    """Works in a thread of its own, because encoding takes time and the main thread has to notice
    signals. An error there costs the forecast and nothing else."""

    def __init__(self, db: Database, spec: JobSpec, positions: Sequence[int], engine: Engine):
        self._db = db
        self._spec = spec
        self._positions = positions
        self._engine = engine
        self._answers: Sequence[int] = ()
        self._started: queue.SimpleQueue[EngineInfo | None] = queue.SimpleQueue()
        self._ended = threading.Event()
        self._forecast: Forecast | None = None
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Start reading; to be called before the engine's thread is started."""
        self._answers = cache_forecast.answer_lengths(self._spec, history.answer_lengths(self._db))
        with suppress(Exception):  # the engine reports better what is wrong with the tokenizer
            # In this thread: two that import the same packages at a time may get them unfinished.
            if cache_forecast.can_encode(self._engine.encode):
                self._thread = threading.Thread(
                    target=self._work, args=[self._db.cursor()], name="forecast", daemon=True
                )
                self._thread.start()

    def ready(self, info: EngineInfo) -> None:
        """Take what the first engine reports, now that it has started."""
        self._started.put(info)

    def take(self) -> Mapping[str, Any] | None:
        """The forecast as the store keeps it: once, as soon as it is made."""
        forecast, self._forecast = self._forecast, None
        return None if forecast is None else cache_forecast.as_json(forecast)

    def wait(self, seconds: float) -> None:
        """Wait until the forecast is made, for at most `seconds`."""
        if self._thread is not None:
            self._thread.join(seconds)

    def end(self) -> None:
        """Stop, and drop a forecast that is not made yet."""
        self._ended.set()
        self._started.put(None)
        if self._thread is not None:
            self._thread.join()

    def _work(self, db: Database) -> None:
        with suppress(Exception):
            stretches = list(self._read(db))
            info = self._started.get()
            assumed = info and cache_forecast.assume_as_described(info, self._answers)
            if assumed:
                self._forecast = cache_forecast.predict(stretches, len(self._positions), assumed)

    def _read(self, db: Database) -> Iterator[Stretch]:
        for indexes in cache_forecast.choose_ranges(len(self._positions)):
            positions = self._positions[indexes.start : indexes.stop]
            texts = (planned.messages for planned in plans.requests_at(db, positions))
            yield cache_forecast.encode_stretch(
                self._engine.encode, self._wanted(cache_forecast.read_chats(texts))
            )

    def _wanted(self, prompts: Iterable[Sequence[Message]]) -> Iterator[Sequence[Message]]:
        for messages in prompts:
            if self._ended.is_set():
                return
            yield messages
