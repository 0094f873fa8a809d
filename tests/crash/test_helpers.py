"""The helpers of forked runs do what those of other runs do, and no more of them is left."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from llmbatch.core.bounded_process import EndedError, Helper
from llmbatch.core.errors import HelperError
from tests.cli.command import wait_for
from tests.crash.tracer import Tracer
from tests.engines.vllm.alive import is_alive


def make_function(settings: Any) -> Callable[[str], str]:
    """Of the helper of these tests."""

    def answer(text: str) -> str:
        while text == "for ever":
            pass
        if text == "files":
            return " ".join(sorted(file.name for file in Path("/proc/self/fd").iterdir()))
        return f"{settings} {text} {os.getpid()} {os.getppid()}"

    if settings == "breaks":
        raise RuntimeError
    return answer


def ask() -> None:
    """Ask one, as a run does that has files open."""
    with Path("open").open("w"):
        helper = Helper(__name__, "told", 0.2)
        said, text, own, parent = (helper.ask("one") or "").split()
        assert (said, text, int(parent)) == ("told", "one", os.getpid())
        assert int(own) != os.getpid()
        assert (helper.ask("files") or "").split()[:3] == ["0", "1", "2"]
        assert len((helper.ask("files") or "").split()) <= 4, "one is that of the look itself"
        with pytest.raises(EndedError) as ended:
            helper.ask("for ever")
        assert ended.value.overdue
        assert str(own) not in (helper.ask("again") or "").split()
        assert helper.end() == -signal.SIGKILL
        with pytest.raises(HelperError):
            Helper(__name__, "breaks", 1).ask("one")
    assert not psutil.Process().children()


def die() -> None:
    """Say who helps, and be killed."""
    told = Helper(__name__, "told", 0.2).ask("one") or ""
    print(told.split()[2], flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


def test_they_answer_are_ended_and_have_nothing_of_the_runs(tracer: Tracer, tmp_path: Path) -> None:
    done = tracer.run([], tmp_path, call=("tests.crash.test_helpers:ask", []), traced=False)
    assert (done.code, done.stderr) == (0, "")


def test_none_outlives_its_run(tracer: Tracer, tmp_path: Path) -> None:
    killed = tracer.run([], tmp_path, call=("tests.crash.test_helpers:die", []), traced=False)
    assert killed.code == -signal.SIGKILL
    helper = int(killed.stdout)
    wait_for(lambda: not (psutil.pid_exists(helper) and is_alive(psutil.Process(helper))))
