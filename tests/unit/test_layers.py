"""Imports point down, and heavy packages have one door each."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import llmbatch
from tests import scheduling

PACKAGE = Path(llmbatch.__file__).parent
SOURCES = sorted(PACKAGE.rglob("*.py"))

# A room may import itself and rooms of a lower level; rooms of one level are siblings.
LEVELS = {
    "core": 0,
    "store": 1,
    "engines": 1,
    "formats": 1,
    "pipeline": 2,
    "quality": 3,
    "reports": 3,
    "cli": 4,
}


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def imported(tree: ast.AST) -> Iterator[str]:
    """Dotted names of all that is imported, anywhere; those that are spelled in strings too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            word = node.value.partition(":")[0]
            if word.startswith("llmbatch.") and " " not in word:
                yield word


def rooms(tree: ast.AST) -> set[str]:
    names = (name.split(".") for name in imported(tree) if name.startswith("llmbatch."))
    # `llmbatch.__version__` is no room.
    return {parts[1] for parts in names if not parts[1].startswith("__")}


def uphill(room: str, tree: ast.AST) -> set[str]:
    """The rooms that a module of `room` imports although it may not."""
    return {other for other in rooms(tree) if other != room and LEVELS[other] >= LEVELS[room]}


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_imports_point_down(path: Path) -> None:
    room = path.relative_to(PACKAGE).parts[0]
    if room in ("__init__.py", "__main__.py"):
        assert rooms(ast.parse(path.read_text())) <= {"cli"}
    else:
        assert uphill(room, ast.parse(path.read_text())) == set()


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("core", "from llmbatch.store import files"),
        ("store", "from llmbatch import formats"),
        ("engines", "def lazy():\n    import llmbatch.store.lock"),
        ("formats", "importlib.import_module('llmbatch.engines.vllm')"),
        ("pipeline", "importlib.import_module(f'llmbatch.reports.{name}')"),
        ("reports", "BUILTIN = {'x': 'llmbatch.cli.main:entry'}"),
    ],
)
def test_an_import_that_points_up_is_found(room: str, source: str) -> None:
    assert uphill(room, ast.parse(source))


def importers(package: str) -> set[str]:
    return {
        name_of(path)
        for path in SOURCES
        if any(name.split(".")[0] == package for name in imported(ast.parse(path.read_text())))
    }


def test_only_the_store_imports_duckdb() -> None:
    assert importers("duckdb")
    assert {name.partition("/")[0] for name in importers("duckdb")} == {"store"}


@pytest.mark.parametrize("package", ["vllm", "torch", "transformers", "tokenizers"])
def test_only_the_vllm_engine_imports_what_vllm_brings(package: str) -> None:
    assert [name for name in importers(package) if not name.startswith("engines/vllm")] == []


@pytest.mark.parametrize("package", ["os", "pathlib", "socket", "subprocess", "threading", "io"])
def test_core_touches_no_file_and_no_process(package: str) -> None:
    assert [name for name in importers(package) if name.startswith("core/")] == []


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys; from llmbatch.cli.main import cli; cli(['--help'], standalone_mode=False);"
        "print('heavy:', *sorted({'duckdb', 'pyarrow', 'vllm', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].strip() == "heavy:"


def test_files_that_use_one_engine_are_one_piece_of_work() -> None:
    """Of those that name it: the fixtures of its room, and the files themselves."""
    root = PACKAGE.parent
    using = {
        str(path.relative_to(root))
        for room in ("contracts", "engine")
        for path in (root / "tests" / room).glob("test_*.py")
        if re.search(r"\bvllm_engine\b|\bsession\.started\b", path.read_text(encoding="utf-8"))
    }
    assert using == scheduling.SHARING
