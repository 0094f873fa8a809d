"""An event loop in a thread of its own."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError
from typing import Any

from llmbatch.core.errors import EngineError

CLOSED = "engine died: it was closed"


class LoopThread:
    """Runs coroutines for other threads. After `close`, and once it is closed while they wait,
    `call` raises EngineError."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._work, name="http", daemon=True)
        self._closing = threading.Lock()
        self._is_closed = False
        self._thread.start()

    def _work(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()

    def soon(self, function: Callable[..., object], *arguments: object) -> None:
        """Have a function called in the loop. Raises EngineError once the loop is closed."""
        try:
            self._loop.call_soon_threadsafe(function, *arguments)
        except RuntimeError as error:
            raise EngineError(CLOSED) from error

    def call(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """The result of a coroutine that runs in the loop. Raises what it raises."""
        try:
            future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        except RuntimeError as error:
            coroutine.close()
            raise EngineError(CLOSED) from error
        try:
            return future.result()
        except CancelledError as error:
            raise EngineError(CLOSED) from error

    def close(self, last: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """End all that runs in the loop, run `last`, and end the thread. Again: no effect."""
        with self._closing:
            if self._is_closed:
                return
            self._is_closed = True
            asyncio.run_coroutine_threadsafe(self._end(last), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()

    async def _end(self, last: Callable[[], Coroutine[Any, Any, None]]) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await last()
