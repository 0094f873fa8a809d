"""What all tests share.

With several workers (`make test`) the tests of a file stay together, because they share what is
dear to make.
"""

import os
import sys
from pathlib import Path

import pytest

from tests.cli.command import Job


@pytest.fixture(scope="session", autouse=True)
def _keep_bytecode(pytestconfig: pytest.Config) -> None:
    """Where bytecode may not lie beside the sources, child processes keep it elsewhere.

    Without any, each start of the command line takes three times as long.
    """
    if sys.dont_write_bytecode:
        kept = pytestconfig.rootpath / ".pytest_cache" / "bytecode"
        os.environ["PYTHONPYCACHEPREFIX"] = str(kept)
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    """A job of three rows in a folder of its own; nothing has run yet."""
    job = Job(tmp_path)
    job.write("in.csv", "id,text\n1,hello\n2,good day\n3,bye\n")
    return job
