"""The sources of the package, each parsed once for all tests of its shape."""

import ast
from functools import cache
from pathlib import Path

import llmbatch

PACKAGE = Path(llmbatch.__file__).parent
ROOT = PACKAGE.parent
SOURCES = sorted(PACKAGE.rglob("*.py"))


@cache
def parsed(path: Path) -> ast.Module:
    """The syntax tree of a file."""
    return ast.parse(path.read_text(encoding="utf-8"))
