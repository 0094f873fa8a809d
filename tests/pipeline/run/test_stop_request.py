"""A run is asked to stop, once or twice, and does."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmbatch.pipeline.run.stop_request import StopRequest


@pytest.fixture(params=[signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def number(request: pytest.FixtureRequest) -> Iterator[signal.Signals]:
    """A signal, whose handling is put back in the end."""
    number: signal.Signals = request.param
    former = signal.getsignal(number)
    yield number
    signal.signal(number, former)


def test_a_signal_asks_for_an_end_and_the_next_for_one_at_once(number: signal.Signals) -> None:
    former = signal.getsignal(number)
    with StopRequest() as stop:
        stop.patience = 2
        os.kill(os.getpid(), number)
        assert (stop.drain, stop.signal, stop.leave) == (True, number, False)
        os.kill(os.getpid(), number)
        assert stop.leave
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) == former


def test_the_work_goes_on_without_its_terminal_under_nohup() -> None:
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopRequest() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stop.drain
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, former)


STUCK = """
import hashlib
from llmbatch.pipeline.run import stop_request
stop_request._UNNOTICED, stop_request._OVERDUE = 0.3, {overdue}
with stop_request.StopRequest() as asked:
    asked.patience = {patience}
    print("ready", flush=True)
    {work}
"""
# For minutes the main thread is somewhere where no signal is handled.
DEAF = "hashlib.pbkdf2_hmac('sha256', b'', b'', 10**9)"


@pytest.mark.parametrize(
    ("patience", "work", "overdue"),
    [
        ("stop_request.NEVER", DEAF, 60),
        (0, DEAF, 60),
        # It looks, and does not come to an end.
        ("stop_request.NEVER", "while True: asked.leave", 0.3),
    ],
    ids=["at work", "planning", "leaving"],
)
def test_a_second_signal_ends_a_process_whose_main_thread_is_stuck(
    patience: object, work: str, overdue: float
) -> None:
    code = STUCK.format(patience=patience, work=work, overdue=overdue)
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(0.3)  # until it is at it
        process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 128 + signal.SIGTERM
    finally:
        process.kill()
        process.communicate()


def descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def test_the_signals_that_come_in_order_are_not_watched_longer_than_the_work() -> None:
    before = descriptors()
    with StopRequest() as stop:
        stop.patience = 5
        for _ in range(3):
            os.kill(os.getpid(), signal.SIGTERM)
        assert stop.leave
    deadline = time.monotonic() + 5
    while descriptors() - before:
        assert time.monotonic() < deadline
        time.sleep(0.01)
