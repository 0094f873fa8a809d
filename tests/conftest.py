"""The options and fixtures of all tests.

With several workers (`make test`) the tests of a file stay together, because they share what
takes long to make.
"""

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from llmbatch.cli import console
from tests import leftovers, scheduling, slow
from tests.cli.command import Job

if TYPE_CHECKING:
    from xdist.remote import Producer

if sys.dont_write_bytecode:
    # It may not lie beside the sources. Without any, an import of vLLM takes more than twice as
    # long, and a start of the command line three times, here as in child processes.
    sys.dont_write_bytecode = False
    sys.pycache_prefix = str(Path(__file__).parents[1] / ".pytest_cache" / "bytecode")
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Notes of engine starts are kept for the next session, as for users, but not among theirs.
os.environ.setdefault(
    "LLMBATCH_STARTS", str(Path(__file__).parents[1] / ".pytest_cache" / "starts")
)

# How long one example takes says something about the machine, and nothing about what is tested.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


def pytest_addoption(parser: pytest.Parser) -> None:
    text = "write the tests that took a quarter of a second or more to tests/slow_tests.txt"
    parser.addoption("--record-slow", action="store_true", help=text)


def pytest_configure(config: pytest.Config) -> None:
    is_worker = hasattr(config, "workerinput")
    if config.getoption("--record-slow") and not is_worker:
        config.pluginmanager.register(slow.Recorder())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    slow.mark(items)
    items.sort(key=lambda item: scheduling.rank(item.nodeid))


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """End the session's vLLM after the last test that uses it: its threads never rest. Without
    workers other files come between those that do, and it is kept to the end."""
    used = sys.modules.get("tests.engines.vllm.session")
    in_turn = nextitem is None or hasattr(item.config, "workerinput")
    if used and in_turn and scheduling.is_left(item.nodeid, nextitem.nodeid if nextitem else ""):
        used.stop()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(
    config: pytest.Config, log: "Producer"
) -> scheduling.LongestFirst | None:
    """Of `--dist loadfile`."""
    if config.getoption("dist") != "loadfile":
        return None
    config.option.loadscopereorder = False  # the files with the most tests are not the longest
    return scheduling.LongestFirst(config, log)


@pytest.fixture(scope="session", autouse=True)
def _hear_hangups() -> None:
    """As from a terminal: under `nohup`, or in a service, runs would go on after a SIGHUP."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def _stderr_of_its_own() -> Iterator[None]:
    """A command that ran in this process has kept the stderr of its test, which is no other's."""
    yield
    console._own_stderr = None


@pytest.fixture(scope="module", autouse=True)
def _ends_what_it_began() -> Iterator[None]:
    """Of what a file has started nothing lives on: another file of the same worker would count it
    among its own, and which files share a worker differs from day to day."""
    yield
    assert leftovers.runs_and_replicas() == []
    assert not leftovers.is_connected_to_ray()


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """A job of three rows in a folder of its own; nothing has run yet."""
    job = Job(tmp_path)
    job.write("in.csv", "id,text\n1,hello\n2,good day\n3,bye\n")
    return job
