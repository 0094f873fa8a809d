import io
import logging
import os
import sys
import threading
from pathlib import Path

import pytest

from llmbatch.engines.ray import output


def test_what_threads_of_ray_print_goes_to_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = io.StringIO()
    monkeypatch.setattr(sys, "stdout", shown)
    log = tmp_path / "run.log"
    with output.apart(str(log)):
        thread = threading.Thread(
            target=lambda: print("a worker died", file=sys.stdout), name="ray_listen_error_messages"
        )
        thread.start()
        thread.join()
        logging.getLogger("ray").warning("a warning")
        print("a row")
    assert (shown.getvalue(), sys.stdout) == ("a row\n", shown)
    assert log.read_text() == "a worker died\na warning\n"


def test_the_environment_is_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "1")
    before = dict(os.environ)
    with output.environment(is_local=True):
        assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"
        assert os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] == "0"
    assert dict(os.environ) == before
