"""The resources of a run; measuring them does not hold it up."""

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from llmbatch.pipeline.monitoring import gpu_readings
from llmbatch.pipeline.monitoring.gpu_readings import NoGpus, Reading
from llmbatch.pipeline.monitoring.resources import Meter, Resources
from tests.cli.command import wait_for

BURN = "import time\nend = time.process_time() + {seconds}\nwhile time.process_time() < end: pass"


def nothing() -> None: ...


def first(meter: Meter, then: Callable[[], None] = nothing) -> Resources:
    meter.begin(then)
    wait_for(lambda: meter.resources is not None)
    assert meter.resources is not None
    return meter.resources


def last(meter: Meter) -> Resources:
    meter.end()
    assert meter.resources is not None
    return meter.resources


def test_processes_that_have_ended_are_counted() -> None:
    meter = Meter(source=NoGpus())
    first(meter)
    for _ in range(2):
        subprocess.run([sys.executable, "-c", BURN.format(seconds=0.4)], check=True)
    used = last(meter)
    assert 0.8 <= used.cpu_seconds < 5


def test_what_a_process_did_before_the_run_is_not_counted() -> None:
    burned = BURN.format(seconds=0.8) + "\nprint(1, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", burned], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        meter = Meter(source=NoGpus())
        first(meter)
        child.communicate(b"\n")
    assert last(meter).cpu_seconds < 0.6


def test_memory_is_that_of_all_processes() -> None:
    meter = Meter(source=NoGpus())
    with subprocess.Popen(
        [sys.executable, "-c", "held = b'x' * (200 << 20); print(1, flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        with_child = first(meter).memory_bytes
        child.communicate(b"\n")
    used = last(meter)
    assert used.peak_memory_bytes >= with_child > 200 << 20
    assert used.memory_bytes < with_child - (150 << 20)


def test_without_a_driver_there_is_silence(capfd: pytest.CaptureFixture[str]) -> None:
    if not isinstance(gpu_readings.detect(), NoGpus):
        pytest.skip("this machine has a driver")
    meter = Meter()
    first(meter)
    used = last(meter)
    assert (used.gpu_utilization, used.gpu_memory_bytes, used.energy_joules) == (None, None, None)
    assert capfd.readouterr() == ("", "")


@dataclass
class Scripted:
    """Two devices that say one thing after the other, and go on saying the last."""

    said: list[Sequence[Reading]]
    looks: int = 0

    def read(self, count: int) -> Sequence[Reading]:
        self.looks += 1
        return self.said[min(self.looks, len(self.said)) - 1][:count]


def looked(source: Scripted, times: int, devices: int = 2) -> Resources:
    meter = Meter(devices, source)
    first(meter)
    wait_for(lambda: source.looks >= times)
    return last(meter)


def test_devices_are_added_up_and_their_use_is_averaged() -> None:
    source = Scripted(
        [
            [Reading(0.5, 10, 1000.0, 300.0), Reading(0.7, 20, 50.0, 300.0)],
            [Reading(1.0, 30, 1600.0, 300.0), Reading(1.0, 40, 90.0, 300.0)],
        ]
    )
    used = looked(source, 3)
    assert used.gpu_memory_bytes == 70
    assert used.energy_joules == pytest.approx(640.0)
    assert used.gpu_utilization == pytest.approx((0.6 + (source.looks - 1)) / source.looks)


def test_only_devices_of_the_engine_are_counted() -> None:
    other = Reading(0.0, 999, 5.0, 1.0)
    used = looked(Scripted([[Reading(1.0, 10, 7.0, 1.0), other]]), 2, devices=1)
    assert (used.gpu_memory_bytes, used.gpu_utilization, used.energy_joules) == (10, 1.0, 0.0)


def test_power_times_time_stands_in_for_a_device_that_counts_no_energy() -> None:
    began = time.monotonic()
    used = looked(Scripted([[Reading(None, None, None, 200.0)]]), 4, devices=1)
    assert (used.gpu_utilization, used.gpu_memory_bytes) == (None, None)
    assert used.energy_joules is not None
    assert 20 < used.energy_joules < 200 * (time.monotonic() - began)


class Broken:
    """A driver that has lost its devices."""

    def read(self, count: int) -> Sequence[Reading]:
        raise OSError("GPU is lost")


class Hanging:
    """A driver that does not answer."""

    def __init__(self) -> None:
        self.asked, self.answer = threading.Event(), threading.Event()

    def read(self, count: int) -> Sequence[Reading]:
        self.asked.set()
        self.answer.wait()
        return ()


def test_a_broken_driver_costs_only_its_own_figures() -> None:
    beats: list[int] = []
    meter = Meter(source=Broken())
    first(meter, lambda: beats.append(1))
    wait_for(lambda: len(beats) >= 2)
    used = last(meter)
    assert used.memory_bytes > 0
    assert used.energy_joules is None


def test_a_driver_that_hangs_holds_up_nobody() -> None:
    source = Hanging()
    meter = Meter(source=source)
    assert first(meter).memory_bytes > 0
    assert source.asked.wait(10)
    began = time.monotonic()
    meter.end()
    assert time.monotonic() - began < 2
    source.answer.set()


def test_what_follows_a_look_may_fail() -> None:
    beats: list[int] = []

    def fail() -> None:
        beats.append(1)
        raise OSError("no room")

    meter = Meter(source=NoGpus())
    first(meter, fail)
    wait_for(lambda: len(beats) >= 3)
    meter.end()
