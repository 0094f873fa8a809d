"""Nothing is committed at the top of the project but what belongs there."""

import shutil
import subprocess

import pytest

from tests.layout.sources import ROOT

KEPT = {
    "CHANGELOG.md", "LICENSE", "Makefile", "README.md", "findings", "llmbatch", "pyproject.toml",
    "samples", "tests",
}  # fmt: skip


@pytest.mark.skipif(shutil.which("git") is None or not (ROOT / ".git").exists(), reason="no clone")
def test_the_top_holds_what_is_listed_here() -> None:
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    names = {name.partition("/")[0] for name in listed.split("\0") if name}
    assert names >= KEPT
    assert {name for name in names - KEPT if not name.startswith(".")} == set()
