"""Engines that can do a part of their start before they are needed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, runtime_checkable

from llmbatch.engines.base import Engine


@runtime_checkable
class StartsEarly(Protocol):
    """An engine that can do a part of its start before it is needed, while something else is done.
    Optional; it loads no model, and takes no device."""

    def begin_early(self) -> None:
        """Begin with what its start takes long for; more than once is once. It raises nothing for
        which a start would not fail, too."""
        ...

    def end_early(self) -> None:
        """End what was begun, unless a start has taken it over."""
        ...


def begin_early(engine: Engine) -> None:
    """Let an engine begin with its start, if it can."""
    if isinstance(engine, StartsEarly):
        engine.begin_early()


@contextmanager
def ended(engine: Engine) -> Iterator[None]:
    """In the end, what the engine has begun of its start early is ended, if no start went on with
    it."""
    try:
        yield
    finally:
        if isinstance(engine, StartsEarly):
            engine.end_early()
