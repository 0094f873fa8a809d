"""The list of slow tests names tests that there are, and is what a recording makes of them."""

import ast
from pathlib import Path

import pytest

from tests import slow

ROOT = Path(__file__).parents[2]


def functions(file: str) -> set[str]:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_each_test_of_the_list_is_there() -> None:
    listed = sorted(slow.names())
    gone = [name for name in listed if not (ROOT / name.partition("::")[0]).is_file()]
    assert gone == []
    known = {file: functions(file) for file in {name.partition("::")[0] for name in listed}}
    assert [n for n in listed if n.split("::")[1] not in known[n.partition("::")[0]]] == []


def report(nodeid: str, seconds: float) -> pytest.TestReport:
    return pytest.TestReport(nodeid, ("", None, ""), {}, "passed", None, "call", duration=seconds)


def test_a_recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One parameter that is slow makes the function slow; fixtures count; files that did not run
    keep what they have."""
    other = Path(__file__).relative_to(ROOT)
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(slow, "LIST", tmp_path / "list.txt")
    slow.LIST.write_text(f"{other}::test_old\nnowhere.py::test_gone\nt.py::test_was_slow\n")
    recorder = slow.Recorder()
    for name, seconds in [("test_a[1]", 0.1), ("test_a[2]", 0.6), ("test_was_slow", 0.2)]:
        recorder.pytest_runtest_logreport(report(f"t.py::{name}", seconds))
    for _ in ("setup", "call"):
        recorder.pytest_runtest_logreport(report("t.py::test_sum", 0.3))
    recorder.pytest_sessionfinish()
    assert slow.LIST.read_text().split() == ["t.py::test_a", "t.py::test_sum", f"{other}::test_old"]
