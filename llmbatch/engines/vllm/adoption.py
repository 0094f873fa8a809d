"""The adoption of processes that vLLM starts, by spares in place of new interpreters.

vLLM starts its processes by multiprocessing, with its configuration among their arguments, and we
travel in that (`processes.ChildSetup`): so we know which of them are of our engines. All else that
multiprocessing starts is left alone, and so is a process of vLLM's for which no spare fits.
"""

import contextlib
import io
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from multiprocessing import context, popen_spawn_posix, reduction, resource_tracker, spawn, util
from typing import Any, ClassVar

from llmbatch.core.errors import EngineError
from llmbatch.engines.vllm.spare import GoneError, Spare, end_all

Launch = Callable[[Any], Any]


@dataclass
class Offer:
    """The spares for an engine's processes. `launched` is told of each that is started: whether by
    a spare, and with which variables."""

    spares: list[Spare] = field(default_factory=list)
    launched: Callable[[bool, Mapping[str, str]], None] = lambda is_spare, variables: None

    def take(self) -> Spare | None:
        """A spare that fits, if there is one."""
        return next((spare for spare in self.spares if spare.fits()), None)


unclaimed: list[Spare] = []
"""In a spare of an engine core: those for its workers."""
received: list[int] = []
"""In what was a spare: the descriptors that its process was given."""
_offers: dict[str, Offer] = {}
_original: list[Launch] = []


@contextlib.contextmanager
def offered(engine: str, offer: Offer) -> Iterator[None]:
    """Meanwhile processes of an engine may become these spares. `engine`: the path of its temporary
    folder. In the end those that are left are ended."""
    install()
    _offers[engine] = offer
    try:
        yield
    finally:
        del _offers[engine]
        end_all(offer.spares)


def offer(engine: str, made: Offer) -> None:
    """The same, for as long as this process lives."""
    install()
    _offers.setdefault(engine, made)


def install() -> None:
    """Look at each process that multiprocessing spawns from now on."""
    if not _original:
        _original.append(context.SpawnProcess._Popen)
        context.SpawnProcess._Popen = staticmethod(_launch)  # type: ignore[method-assign, assignment]


def _launch(process: Any) -> Any:
    config = getattr(process, "_kwargs", {}).get("vllm_config")
    device = getattr(config, "device_config", None)
    setup = getattr(device, "llmbatch_child_setup", None)
    found = _offers.get(setup.scratch) if setup is not None else None
    if found is None:
        return _original[0](process)
    made = None
    if spare := found.take():
        try:
            made = _Adopted(process, spare)
        except GoneError as error:
            if spare.is_closed:
                raise EngineError("the engine was closed while it started") from error
    found.launched(made is not None, dict(os.environ))
    return made or _original[0](process)


class _Received:
    """A descriptor among those that came with a process."""

    def __init__(self, index: int) -> None:
        self._index = index

    def detach(self) -> int:
        return received[self._index]


class _Adopted(popen_spawn_posix.Popen):
    """A process that a spare becomes: the same as a new one to whoever waits for it. Raises
    GoneError when it did not."""

    DupFd: ClassVar[Any] = _Received

    def __init__(self, process: Any, spare: Spare) -> None:
        self._spare = spare
        self._fds: list[int] = []
        super().__init__(process)

    def duplicate_for_child(self, fd: int) -> int:
        self._fds.append(fd)
        return len(self._fds) - 1

    def _launch(self, process: Any) -> None:
        data = _pickled(self, process)
        child_read, parent_write = os.pipe()
        self.sentinel, child_write = os.pipe()
        ours = (self.sentinel, parent_write)
        self.finalizer = util.Finalize(self, _close, ours)
        try:
            tracker: Any = resource_tracker.getfd()
            self._spare.hand([child_read, child_write, tracker, *self._fds])
        except GoneError:
            self.finalizer()
            raise
        finally:
            os.close(child_read)
            os.close(child_write)
        try:
            with open(parent_write, "wb", closefd=False) as stream:
                stream.write(data)
        except OSError as error:  # it has died before it read all of it
            self._spare.kill()
            self.finalizer()
            raise GoneError(str(error)) from error
        self.pid = self._spare.pid


def _close(*descriptors: int) -> None:
    for each in descriptors:
        os.close(each)


def _pickled(popen: Any, process: Any) -> bytes:
    """The process that it is to be, as a new interpreter would get it."""
    stream = io.BytesIO()
    context.set_spawning_popen(popen)
    try:
        reduction.dump(spawn.get_preparation_data(process._name), stream)
        reduction.dump(process, stream)
    finally:
        context.set_spawning_popen(None)
    return stream.getvalue()
