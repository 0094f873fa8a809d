"""The earlier build that figures are ratios to."""

import subprocess
from pathlib import Path

import pytest

from tests.bench.earlier import THIS, Build, earlier, in_turn
from tests.bench.measure import ROOT, CommandError


def test_a_build_runs_its_own_code(tmp_path: Path) -> None:
    (tmp_path / "llmbatch").mkdir()
    (tmp_path / "llmbatch/__init__.py").touch()
    (tmp_path / "llmbatch/__main__.py").write_text("import llmbatch\nprint(llmbatch.__file__)\n")
    for build in (Build("other", tmp_path), THIS):
        build.spend(["--help"], tmp_path)
    assert (tmp_path / "other.log").read_text().startswith(str(tmp_path))
    assert "Usage: llmbatch" in (tmp_path / "this.log").read_text()


def test_an_earlier_build_is_what_git_has(tmp_path: Path) -> None:
    head = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
    )
    if head.returncode:
        pytest.skip("no repository here")
    build = earlier(tmp_path, head.stdout.strip())
    assert (build.root / "llmbatch/cli/main.py").is_file()
    assert (build.root / "tests/scripted_engine.py").is_file()
    with pytest.raises(CommandError, match="no earlier build to compare with: fatal"):
        earlier(tmp_path, "0" * 40)


def test_sides_take_turns() -> None:
    order: list[str] = []

    def side(name: str, value: float) -> float:
        order.append(name)
        return value

    pairs = in_turn(3, lambda: side("ours", 1.0), lambda: side("theirs", 2.0))
    assert pairs == [(1.0, 2.0)] * 3
    assert order == ["ours", "theirs", "theirs", "ours", "ours", "theirs"]
