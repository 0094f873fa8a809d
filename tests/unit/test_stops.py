"""What asks a run to stop, and what is made of it."""

import os
import signal
from collections.abc import Iterator

import pytest

from llmbatch.pipeline.stops import Stops


@pytest.fixture(params=[signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def number(request: pytest.FixtureRequest) -> Iterator[signal.Signals]:
    """A signal, whose handling is put back in the end."""
    number: signal.Signals = request.param
    former = signal.getsignal(number)
    yield number
    signal.signal(number, former)


def test_a_signal_asks_for_an_end_and_the_next_for_one_at_once(number: signal.Signals) -> None:
    former = signal.getsignal(number)
    with Stops() as stops:
        stops.patience = 2
        os.kill(os.getpid(), number)
        assert (stops.drain, stops.signal, stops.leave) == (True, number, False)
        os.kill(os.getpid(), number)
        assert stops.leave
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) == former


def test_the_work_goes_on_without_its_terminal_under_nohup() -> None:
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Stops() as stops:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stops.drain
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, former)
