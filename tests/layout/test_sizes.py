"""Files and functions of a size that can be read, names and docstrings that say something."""

import ast
import re

from tests.layout.sources import ROOT, SOURCES, parsed


def test_no_file_is_over_300_lines() -> None:
    sizes = {path: len(path.read_text().splitlines()) for path in SOURCES}
    assert {str(path): size for path, size in sizes.items() if size > 300} == {}


def test_no_function_is_over_60_lines() -> None:
    sizes = {
        f"{path.name}:{node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in SOURCES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: size for name, size in sizes.items() if size > 60} == {}


def test_no_module_is_named_for_nothing() -> None:
    nothing = {"utils", "util", "helpers", "helper", "misc", "common"}
    assert [str(path) for path in SOURCES if path.stem in nothing] == []


def test_every_module_says_what_it_is() -> None:
    bare = [path for path in SOURCES if not ast.get_docstring(parsed(path))]
    assert [str(path) for path in bare] == []


def test_a_docstring_says_the_thing_and_asks_no_question() -> None:
    """ "The parts of the cost", not "What the work cost"."""
    asking = re.compile(r"(What|Whether|How|Who|Whoever|Whose|Where|Which|Why|When)\b")
    asked = [
        f"{path.relative_to(ROOT)}: {text.splitlines()[0]}"
        for path in [*SOURCES, *sorted((ROOT / "tests").rglob("*.py"))]
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        if (text := ast.get_docstring(node)) and asking.match(text)
    ]
    assert asked == []
