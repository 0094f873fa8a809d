"""A name for the code that runs."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from llmbatch.store import running_code


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A package, beside others that are installed."""
    for name in (
        "ours/__init__.py",
        "ours/room/one.py",
        "ours/room/two.sql",
        "site/a-1.dist-info/x",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("VALUE = 1\n")
    return tmp_path


def named(code: Path) -> str:
    return running_code.name_of(code / "ours", ["", str(code / "none"), str(code / "site")])


def edited(code: Path) -> None:
    """In place, and of the same size."""
    path = code / "ours/room/one.py"
    before = path.stat()
    path.write_text("VALUE = 2\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))


def longer(code: Path) -> None:
    """Its time was set back."""
    path = code / "ours/room/two.sql"
    before = path.stat()
    path.write_text("VALUE = 22\n")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def moved(code: Path) -> None:
    (code / "ours/room/one.py").rename(code / "ours/one.py")


def upgraded(code: Path) -> None:
    (code / "site/a-1.dist-info").rename(code / "site/a-2.dist-info")


def added(code: Path) -> None:
    shutil.copytree(code / "site/a-1.dist-info", code / "site/b-1.dist-info")


@pytest.mark.parametrize("change", [edited, longer, moved, upgraded, added])
def test_other_code_has_another_name(code: Path, change: Callable[[Path], None]) -> None:
    before = named(code)
    change(code)
    assert named(code) != before


def test_the_same_code_has_the_same_name(code: Path) -> None:
    before = named(code)
    (code / "ours/__pycache__").mkdir()
    (code / "ours/__pycache__/one.pyc").write_bytes(b"compiled")
    (code / "site/a-1.dist-info/y").write_bytes(b"not of the code")
    assert named(code) == before


def test_code_that_is_packed_away_has_a_name(code: Path) -> None:
    assert running_code.name_of(code / "ours.zip/ours", []) != named(code)


def test_ours_is_taken_once() -> None:
    assert running_code.name() == running_code.name()
    assert len(running_code.name()) == 32
