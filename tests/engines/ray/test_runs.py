"""Runs over a real cluster, parts of which are killed: each row once, and nothing stays behind."""

import importlib.metadata
import json
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from llmbatch.core import clock
from llmbatch.core.errors import ExitCode
from tests.engines.ray import kills
from tests.engines.ray.kills import RayRun
from tests.engines.ray.two_nodes import TwoNodes
from tests.engines.replicas.kills import write_rows

ROWS = 1200
DELAY = 0.01


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("undisturbed")
    write_rows(folder, ROWS)
    return kills.undisturbed(folder)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    write_rows(tmp_path, ROWS)
    yield tmp_path


def folders() -> set[str]:
    """Of clusters of our own."""
    return {str(path) for path in Path("/tmp").glob("llmbatch-ray-*")}


def wait_until_gone(processes: list[psutil.Process], seconds: float) -> None:
    _, left = psutil.wait_procs(processes, timeout=seconds)
    assert left == []


def test_killed_actors_and_a_killed_raylet_cost_no_row(
    two_nodes: TwoNodes, folder: Path, expected: bytes
) -> None:
    run = RayRun(folder, two_nodes.address, delay=DELAY)
    run.until_generating()
    assert kills.kill_actors(run, two_nodes.raylets(), 3, 0.7) == 3
    workers = two_nodes.kill_second()
    try:
        code, _ = run.ended(100)
    finally:
        two_nodes.mend()
    assert code == ExitCode.OK, run.said()
    assert run.output.read_bytes() == expected
    wait_until_gone([*workers, *kills.actors(two_nodes.raylets())], 5)


def test_a_killed_driver_leaves_nothing_and_the_same_command_goes_on(
    two_nodes: TwoNodes, folder: Path, expected: bytes
) -> None:
    run = RayRun(folder, two_nodes.address, delay=DELAY)
    run.until_generating()
    time.sleep(1)
    replicas = kills.actors(two_nodes.raylets())
    run.process.send_signal(signal.SIGKILL)
    run.ended(5)
    wait_until_gone(replicas, 5)
    again = RayRun(folder, two_nodes.address, delay=0)
    assert again.ended(60)[0] == ExitCode.OK, again.said()
    assert again.output.read_bytes() == expected


def test_rows_on_standard_output_are_not_mixed_with_what_ray_prints(
    folder: Path, expected: bytes
) -> None:
    before = folders()
    run = RayRun(folder, None, "--state", str(folder / "state"), delay=DELAY, output="-")
    run.until_generating()
    processes = run.own_processes()
    listening = {
        connection.laddr.ip
        for process in processes
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert kills.kill_actors(run, [psutil.Process(run.process.pid)], 1, 0.5) == 1
    code, printed = run.ended(100)
    assert code == ExitCode.OK, run.said()
    assert printed == expected
    assert listening <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}
    wait_until_gone(processes, 5)
    assert folders() == before


def test_the_end_of_the_head_ends_the_run_in_order(folder: Path, expected: bytes) -> None:
    before = folders()
    run = RayRun(folder, None, "--engine-restarts", "0", delay=0.1)
    run.until_generating()
    processes = run.own_processes()
    time.sleep(1)
    head = next(process for process in processes if process.name() == "gcs_server")
    head.kill()
    code, _ = run.ended(55)  # after 60 s Ray would end it
    assert code == ExitCode.ENGINE, run.said()
    assert "the head of the Ray cluster has not answered" in run.said()
    wait_until_gone(processes, 10)
    assert folders() == before
    # Another way to the same model goes on where this one ended.
    assert kills.undisturbed(folder, run.output) == expected


def test_a_killed_driver_takes_its_own_cluster_along(folder: Path) -> None:
    before = folders()
    run = RayRun(folder, None, delay=DELAY)
    run.until_generating()
    processes = [each for each in run.own_processes() if each.name() != "sh"]
    run.process.send_signal(signal.SIGKILL)
    run.ended(5)
    # Ray's own agents notice it within a minute or so; all others within seconds.
    wait_until_gone([each for each in processes if "Agent" not in each.name()], 15)
    wait_until_gone(processes, 100)
    until = clock.seconds() + 20
    while folders() != before and clock.seconds() < until:
        time.sleep(0.2)
    assert folders() == before


def test_an_address_where_no_cluster_is_is_a_usage_error_within_seconds(folder: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{holder.getsockname()[1]}"
        run = RayRun(folder, address, delay=0)
        code, printed = run.ended(30)
    assert (code, printed) == (ExitCode.USAGE, b"")
    last = run.said().strip().splitlines()[-1]
    assert f"--ray-address {address}: no Ray cluster answers there" in last


def test_the_report_names_the_cluster(two_nodes: TwoNodes, folder: Path) -> None:
    run = RayRun(folder, two_nodes.address, delay=0)
    assert run.ended(60)[0] == ExitCode.OK, run.said()
    report = json.loads((folder / "over_ray.llmbatch" / "report.json").read_text())
    engine = report["engine"]
    assert (engine["engine"], engine["ray_nodes"], engine["parallelism"]["replicas"]) == (
        "scripted",
        2,
        2,
    )
    assert engine["ray"] == importlib.metadata.version("ray")


def test_a_signal_drains_a_run_over_ray_and_prints_no_stack(
    two_nodes: TwoNodes, folder: Path
) -> None:
    run = RayRun(folder, two_nodes.address, delay=0.05)
    run.until_generating()
    run.process.send_signal(signal.SIGTERM)
    assert run.ended(60)[0] == ExitCode.SIGTERM, run.said()
    assert "SIGTERM received" not in run.said()
    wait_until_gone(kills.actors(two_nodes.raylets()), 5)
