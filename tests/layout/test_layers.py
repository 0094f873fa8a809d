"""Imports point down, and heavy packages have one door each."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests import scheduling
from tests.layout.sources import PACKAGE, SOURCES, parsed

# A room may import itself and rooms of a lower level; rooms of one level are siblings.
LEVELS = {
    "core": 0,
    "constraints": 1,
    "batch_files": 1,
    "store": 1,
    "formats": 1,
    "sizing": 1,
    "engines": 2,
    "job": 3,
    "accounting": 4,
    "quality": 4,
    "pipeline": 5,
    "estimate": 6,
    "doctor": 6,
    "tune": 6,
    "reports": 6,
    "cli": 7,
    "notebook": 8,
}
# The rooms of the trunk.
IN_PIPELINE = {"tasks": 1, "monitoring": 1, "rows": 2, "prompts": 3, "run": 4}


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


def inner_rooms(tree: ast.AST) -> set[str]:
    """Of the pipeline: its rooms, and the modules that lie in none of them."""
    names = (name.split(".") for name in imported(tree))
    return {parts[2] for parts in names if parts[:2] == ["llmbatch", "pipeline"] and parts[2:]}


def uphill_in_pipeline(room: str, tree: ast.AST) -> set[str]:
    """As `uphill`, of the pipeline's own rooms."""
    levels = IN_PIPELINE
    return {other for other in inner_rooms(tree) if other != room and levels[other] >= levels[room]}


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_imports_point_down(path: Path) -> None:
    room = path.relative_to(PACKAGE).parts[0]
    if room in ("__init__.py", "__main__.py"):
        assert rooms(parsed(path)) <= {"core", "cli", "notebook"}
    else:
        assert uphill(room, parsed(path)) == set()


@pytest.mark.parametrize("path", sorted((PACKAGE / "pipeline").rglob("*.py")), ids=name_of)
def test_imports_inside_the_pipeline_point_down(path: Path) -> None:
    room = path.relative_to(PACKAGE / "pipeline").with_suffix("").parts[0]
    if room == "__init__":
        assert inner_rooms(parsed(path)) == set()
    else:
        assert uphill_in_pipeline(room, parsed(path)) == set()


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("core", "from llmbatch.store import faults"),
        ("store", "from llmbatch import formats"),
        ("sizing", "from llmbatch.engines import base"),
        ("engines", "def lazy():\n    import llmbatch.job.spec"),
        ("job", "from llmbatch.accounting.usage import RunUsage"),
        ("formats", "importlib.import_module('llmbatch.engines.vllm.engine')"),
        ("pipeline", "importlib.import_module(f'llmbatch.reports.{name}')"),
        ("tune", "from llmbatch.estimate import preview"),
        ("reports", "BUILTIN = {'x': 'llmbatch.cli.main:entry'}"),
    ],
)
def test_an_import_that_points_up_is_found(room: str, source: str) -> None:
    assert uphill(room, ast.parse(source))


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("tasks", "from llmbatch.pipeline.run import settle"),
        ("tasks", "from llmbatch.pipeline.monitoring.progress import Progress"),
        ("rows", "from llmbatch.pipeline import prompts"),
    ],
)
def test_an_import_that_points_up_in_the_pipeline_is_found(room: str, source: str) -> None:
    assert uphill_in_pipeline(room, ast.parse(source))


def module_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def module_graph(trees: dict[str, ast.AST]) -> dict[str, set[str]]:
    """The modules that each module imports, anywhere in it."""
    graph: dict[str, set[str]] = {}
    for module, tree in trees.items():
        # A registry may name the rooms of its modules only by their beginning.
        named = {name for name in imported(tree) if not name.endswith(".")}
        # Of `from a.b import c`, c may be a module, or a name in a.b.
        known = {name if name in trees else name.rpartition(".")[0] for name in named}
        graph[module] = known & trees.keys() - {module}
    return graph


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = module_graph({module_of(path): parsed(path) for path in SOURCES})
    assert sum(map(len, graph.values())) > len(graph)
    TopologicalSorter(graph).prepare()


def test_a_circle_is_found_where_an_import_hides_in_a_function() -> None:
    trees: dict[str, ast.AST] = {
        "llmbatch.a": ast.parse("from llmbatch import b"),
        "llmbatch.b": ast.parse("from llmbatch.c import C"),
        "llmbatch.c": ast.parse("def late():\n    from llmbatch.a import A"),
    }
    with pytest.raises(CycleError):
        TopologicalSorter(module_graph(trees)).prepare()


def importers(package: str) -> set[str]:
    return {
        name_of(path)
        for path in SOURCES
        if any(name.split(".")[0] == package for name in imported(parsed(path)))
    }


def test_only_the_store_imports_duckdb() -> None:
    assert importers("duckdb")
    assert {name.partition("/")[0] for name in importers("duckdb")} == {"store"}


@pytest.mark.parametrize("package", ["vllm", "torch", "transformers", "tokenizers"])
def test_only_the_vllm_engine_imports_what_vllm_brings(package: str) -> None:
    assert [name for name in importers(package) if not name.startswith("engines/vllm/")] == []


def test_only_the_engine_over_ray_imports_ray() -> None:
    assert importers("ray")
    assert [name for name in importers("ray") if not name.startswith("engines/ray/")] == []


def test_only_the_connection_imports_an_http_library() -> None:
    assert importers("httptools") == {"engines/http/connection.py"}
    assert importers("aiohttp") | importers("httpx") == set()


@pytest.mark.parametrize("package", ["os", "pathlib", "socket", "subprocess", "threading", "io"])
def test_core_touches_no_file_and_no_process(package: str) -> None:
    """But for the modules that are there to do it for everybody."""
    owners = {"core/files.py", "core/drafts.py"}
    if package == "subprocess":
        owners = {"core/bounded_process.py"}
    assert {name for name in importers(package) if name.startswith("core/")} <= owners


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
    """They name it, or a fixture of their room that has it."""
    root = PACKAGE.parent
    engine = re.compile(r"\b(vllm_engine|session\.started|subject: Subject|asked: Asked)\b")
    using = {
        str(path.relative_to(root))
        for room in ("contracts", "engines/vllm")
        for path in (root / "tests" / room).glob("test_*.py")
        if engine.search(path.read_text(encoding="utf-8"))
    }
    assert using == scheduling.SHARING
