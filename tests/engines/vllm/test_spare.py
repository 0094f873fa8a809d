"""Processes that were started early, and become those that multiprocessing is asked for."""

import multiprocessing
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from llmbatch.engines.vllm import adoption, processes, spare, spare_main
from llmbatch.engines.vllm.adoption import Offer
from llmbatch.engines.vllm.spare import Spare

CONTEXT = multiprocessing.get_context("spawn")
LIGHT = ("json", "no_such_module")


def report(vllm_config: object, told: Connection) -> None:
    """The things that a process of vLLM's would see of itself."""
    is_spare = "spare_main" in Path("/proc/self/cmdline").read_text()
    told.send((os.getpid(), os.getppid(), os.environ.get("WORD"), is_spare))
    told.close()
    raise SystemExit(7)


def core(vllm_config: object, told: Connection) -> None:
    """An engine core: it starts a worker, whose variables it sets."""
    os.environ["THREADS"] = "3"
    worker = CONTEXT.Process(target=report, kwargs={"vllm_config": vllm_config, "told": told})
    worker.start()
    told.send((os.getpid(), worker.pid))
    worker.join()
    raise SystemExit(worker.exitcode)


def sleep(vllm_config: object, told: Connection) -> None:
    told.send(os.getpid())
    time.sleep(60)


@pytest.fixture
def begun() -> Iterator[list[Spare]]:
    made: list[Spare] = []
    yield made
    spare.end_all(made)


def configured(folder: Path) -> SimpleNamespace:
    setup = processes.ChildSetup(str(folder))
    return SimpleNamespace(device_config=SimpleNamespace(llmbatch_child_setup=setup))


def started(
    target: object, folder: Path, offer: Offer
) -> tuple[multiprocessing.Process, Connection]:
    ours, theirs = CONTEXT.Pipe()
    with adoption.offered(str(folder), offer):
        process = CONTEXT.Process(
            target=target,  # type: ignore[arg-type]
            kwargs={"vllm_config": configured(folder), "told": theirs},
        )
        process.start()
    theirs.close()
    return process, ours  # type: ignore[return-value]


def new(begun: list[Spare], workers: int = 0, **further: str) -> Spare:
    expected = dict(os.environ)
    made = spare.start(expected | further, expected, workers, None, LIGHT)
    begun.append(made)
    return made


def test_a_spare_becomes_the_process(
    begun: list[Spare], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORD", "same")
    made, launches = new(begun), []
    offer = Offer([made], lambda is_spare, names: launches.append((is_spare, names["WORD"])))
    process, told = started(report, tmp_path, offer)
    assert told.recv() == (made.pid, os.getpid(), "same", True)
    process.join(20)
    assert (process.pid, process.exitcode, launches) == (made.pid, 7, [(True, "same")])


def test_another_environment_is_a_new_interpreter(
    begun: list[Spare], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Libraries read variables when they are loaded, so a spare could not be made the same."""
    made = new(begun)
    monkeypatch.setenv("WORD", "other")
    process, told = started(report, tmp_path, Offer([made]))
    pid, parent, word, is_spare = told.recv()
    process.join(20)
    assert pid == process.pid != made.pid
    assert not is_spare
    assert (parent, word, process.exitcode) == (os.getpid(), "other", 7)
    assert not psutil.pid_exists(made.pid)  # one that is left is ended


def test_a_spare_that_has_died_is_replaced(begun: list[Spare], tmp_path: Path) -> None:
    made = new(begun)
    os.kill(made.pid, signal.SIGKILL)
    process, told = started(report, tmp_path, Offer([made]))
    assert told.recv()[0] == process.pid != made.pid
    process.join(20)
    assert process.exitcode == 7


def test_a_spare_that_dies_as_it_is_given_its_work_is_replaced(
    begun: list[Spare], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has its pipes, and has read nothing from them."""
    made, hand = new(begun), Spare.hand

    def then_dies(self: Spare, descriptors: Sequence[int]) -> None:
        os.kill(made.pid, signal.SIGSTOP)
        hand(self, descriptors)
        os.kill(made.pid, signal.SIGKILL)
        os.waitid(os.P_PID, made.pid, os.WEXITED | os.WNOWAIT)

    assert select.select([made.control], [], [], 20)[0]  # it is ready
    monkeypatch.setattr(Spare, "hand", then_dies)
    process, told = started(report, tmp_path, Offer([made]))
    assert told.recv()[0] == process.pid != made.pid
    process.join(20)
    assert (process.exitcode, psutil.pid_exists(made.pid)) == (7, False)


def test_a_spare_that_hangs_in_an_import_holds_nothing_up(
    begun: list[Spare], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "endless.py").write_text("import time\ntime.sleep(600)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(spare, "_LEAST_PATIENCE", 1.0)
    names = dict(os.environ)
    begun.append(made := spare.start(names, names, 1, None, ["endless"]))
    began = time.monotonic()
    process, told = started(report, tmp_path, Offer([made]))
    assert time.monotonic() - began < 10
    assert told.recv()[0] == process.pid != made.pid
    process.join(20)
    assert (process.exitcode, psutil.pid_exists(made.pid)) == (7, False)


def test_its_forks_become_the_workers_of_the_core(begun: list[Spare], tmp_path: Path) -> None:
    """The core gets the variables of a core, and its worker those that the spare had at first."""
    made = new(begun, workers=1, THREADS="3")
    process, told = started(core, tmp_path, Offer([made]))
    seen = [told.recv(), told.recv()]
    pair = next(each for each in seen if len(each) == 2)
    worker = next(each for each in seen if len(each) == 4)
    process.join(20)
    assert pair == (made.pid, worker[0])
    assert worker[1] == made.pid
    assert worker[3]
    assert process.exitcode == 7
    assert '"THREADS": "3"' in (tmp_path / "workers").read_text()


def test_a_worker_with_other_variables_is_a_new_interpreter(
    begun: list[Spare], tmp_path: Path
) -> None:
    made = new(begun, workers=1, THREADS="4")
    process, told = started(core, tmp_path, Offer([made]))
    seen = {len(each): each for each in (told.recv(), told.recv())}
    process.join(20)
    assert (process.exitcode, seen[2]) == (7, (made.pid, seen[4][0]))
    assert not seen[4][3]


def test_an_adopted_process_ends_with_its_parent(begun: list[Spare], tmp_path: Path) -> None:
    made = new(begun, workers=1, THREADS="3")
    process, told = started(sleep, tmp_path, Offer([made]))
    assert told.recv() == made.pid
    forks = psutil.Process(made.pid).children()
    assert len(forks) == 1
    process.kill()
    process.join(20)
    assert process.exitcode == -signal.SIGKILL
    _, alive = psutil.wait_procs(forks, 5)
    assert alive == []


def test_a_spare_that_is_not_wanted_is_ended_with_its_forks(begun: list[Spare]) -> None:
    made = new(begun, workers=2)
    until = time.monotonic() + 20
    while len(forks := psutil.Process(made.pid).children()) < 2 and time.monotonic() < until:
        time.sleep(0.02)
    made.end()
    made.end()
    assert not psutil.pid_exists(made.pid)
    _, alive = psutil.wait_procs(forks, 5)
    assert alive == []


def test_spares_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    """At whatever it is: the first spare imports, and sees no end of a pipe."""
    (tmp_path / "endless.py").write_text("import time\ntime.sleep(60)\n")
    code = (
        "import os, sys, time; from llmbatch.engines.vllm import spare\n"
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        "names = dict(os.environ)\n"
        "made = [spare.start(names, names, 1, None, [name]) for name in ('endless', 'json')]\n"
        "print(*[each.pid for each in made], flush=True); time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        spares = [psutil.Process(int(pid)) for pid in parent.stdout.readline().split()]
        time.sleep(0.5)
        everybody = [*spares]
        for each in spares:
            with suppress(psutil.Error):
                everybody += each.children()
        parent.kill()
    _, alive = psutil.wait_procs(everybody, 5)
    assert alive == []


def test_what_imports_have_set_stays_as_if_they_came_after() -> None:
    """Some modules put something before a variable each time that a process imports them."""
    began = {"PATHS": "x:x", "OMP": "1", "KEPT": "a"}
    imported = {"PATHS": "x:x:x", "OMP": "1", "KEPT": "a", "NEW": "n"}
    as_core = spare_main._as_imported({"PATHS": "x", "NEW": "n"}, began, imported)
    assert as_core == {"PATHS": "x:x", "NEW": "n"}
    assert spare_main._as_imported(began, began, imported) == imported
