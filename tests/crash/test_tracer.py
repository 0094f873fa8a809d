"""The tracer itself: what it sees, where it kills, and that it leaves nothing behind."""

import errno
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.crash.processes import family
from tests.crash.tracer import At, Fault, TraceError, Tracer

SCRIPT = [
    "mkdir sub",
    "create sub/a",
    "write sub/a",
    "write sub/a",
    "sync sub/a",
    "truncate sub/a",
    "rename sub/a -> b",
    "sync .",
    "unlink b",
    "rmdir sub",
]


def work(folder: str) -> None:
    """One change of every kind; what lies outside the folder and what is read does not count."""
    here = Path(folder)
    (here / "sub").mkdir()
    descriptor = os.open(here / "sub/a", os.O_CREAT | os.O_RDWR)
    os.write(descriptor, b"12345")
    os.pwrite(descriptor, b"ab", 1)
    os.fsync(descriptor)
    os.ftruncate(descriptor, 4)
    os.close(descriptor)
    (here / "sub/a").rename(here / "b")
    Path(os.devnull).write_text("elsewhere")
    (here / "b").read_text()
    at = os.open(here, os.O_RDONLY)
    os.fsync(at)
    os.unlink("b", dir_fd=at)
    (here / "sub").rmdir()


def in_threads(folder: str) -> None:
    """Four threads that each append to a file of their own."""
    threads = [threading.Thread(target=_append, args=(Path(folder, str(n)),)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _append(path: Path) -> None:
    with path.open("ab", buffering=0) as stream:
        for number in range(20):
            stream.write(b"%d\n" % number)


def in_a_process(folder: str) -> None:
    """A process of its own, in another folder, that makes a file."""
    code = "import os; os.chdir('sub'); open('a', 'w').write('xyz')"
    (Path(folder) / "sub").mkdir()
    subprocess.run([sys.executable, "-I", "-S", "-c", code], cwd=folder, check=True)


def wait(folder: str) -> None:
    signal.pause()


def here(name: str, folder: Path) -> tuple[str, list[str]]:
    return f"{__name__}:{name}", [str(folder)]


def test_every_change_is_seen_in_its_order(tracer: Tracer, tmp_path: Path) -> None:
    trace = tracer.run([], tmp_path, call=here("work", tmp_path), data=True)
    assert (trace.code, trace.stderr) == (0, "")
    assert [event.name for event in trace.events] == SCRIPT
    first, second, cut = trace.events[2], trace.events[3], trace.events[5]
    assert (first.offset, first.data, second.offset, second.data) == (0, b"12345", 1, b"ab")
    assert cut.size == 4
    assert all(event.result is not None and event.result >= 0 for event in trace.events)


def test_a_kill_falls_before_or_after_the_change(tracer: Tracer, tmp_path: Path) -> None:
    for number, name in enumerate(SCRIPT, start=1):
        for after in (False, True):
            folder = tmp_path / f"{number}-{after}"
            folder.mkdir()
            at = At(number, after=after)
            trace = tracer.run([], folder, call=here("work", folder), at=at)
            assert (trace.code, trace.struck) == (-signal.SIGKILL, True)
            assert [event.name for event in trace.events] == SCRIPT[:number]
            assert (trace.events[-1].result is not None) == after
            if name == "rename sub/a -> b":
                assert ((folder / "b").exists(), (folder / "sub/a").exists()) == (after, not after)


def test_only_the_kinds_asked_for_count(tracer: Tracer, tmp_path: Path) -> None:
    trace = tracer.run([], tmp_path, call=here("work", tmp_path), at=At(2, kinds=("sync",)))
    assert trace.events[-1].name == "sync ."


def test_threads_are_followed_and_their_changes_held_apart(tracer: Tracer, tmp_path: Path) -> None:
    trace = tracer.run([], tmp_path, call=here("in_threads", tmp_path), data=True)
    assert trace.code == 0
    for name in "0123":
        writes = [event for event in trace.events if event.path == name and event.kind == "write"]
        # An appended write has its beginning, too.
        content = (tmp_path / name).read_bytes()
        assert b"".join(event.data for event in writes) == content
        assert [content[e.offset : e.offset + e.size] for e in writes] == [e.data for e in writes]


def test_a_process_that_the_run_starts_is_read_as_itself(tracer: Tracer, tmp_path: Path) -> None:
    trace = tracer.run([], tmp_path, call=here("in_a_process", tmp_path), data=True)
    assert (trace.code, trace.stderr) == (0, "")
    assert [event.name for event in trace.events] == ["mkdir sub", "create sub/a", "write sub/a"]
    assert trace.events[-1].data == b"xyz"


def test_a_fault_lets_the_call_fail_and_nothing_else(tracer: Tracer, tmp_path: Path) -> None:
    full = Fault("write", "sub/*", errno.ENOSPC, first=2)
    trace = tracer.run([], tmp_path, call=here("work", tmp_path), faults=[full])
    assert "No space left on device" in trace.stderr
    assert (tmp_path / "sub/a").read_bytes() == b"12345"
    assert trace.events[-1].result == -errno.ENOSPC


def test_a_run_that_hangs_is_ended(tracer: Tracer, tmp_path: Path) -> None:
    zygote = tracer.pid
    with pytest.raises(TraceError, match=r"did not end within 0\.3 s"):
        tracer.run([], tmp_path, call=here("wait", tmp_path), timeout=0.3)
    assert family(zygote) == {zygote}
    assert tracer.run([], tmp_path, call=here("work", tmp_path)).code == 0


def test_no_run_outlives_its_tracer(tmp_path: Path) -> None:
    with Tracer() as tracer:
        if tracer.obstacle is not None:
            pytest.skip(tracer.obstacle)
        assert tracer.run([], tmp_path, call=here("work", tmp_path)).code == 0
        zygote = tracer.pid
    assert not Path(f"/proc/{zygote}").exists()
