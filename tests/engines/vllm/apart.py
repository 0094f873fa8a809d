"""Engines of a test in a process of its own, and what it tells of them."""

import json
import os
import subprocess
import sys
from typing import Any

from tests.engines.vllm import session


def told_by(module: str, **variables: str) -> Any:
    """The JSON that a module of the tests prints when it is run, with these variables beside those
    of this process."""
    done = subprocess.run(
        [sys.executable, "-m", module],
        cwd=session.ROOT,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)
