"""The classes of a package by its source, without importing it."""

import ast
import functools
from pathlib import Path


class Source:
    """The Python files below a folder, such as an unpacked wheel."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.module = functools.cache(self._module)

    def _module(self, name: str) -> ast.Module:
        path = self.folder.joinpath(*name.split("."))
        file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        return ast.parse(file.read_text(encoding="utf-8"))

    def of_class(self, name: str) -> ast.ClassDef:
        """The class `module.Name`. Raises LookupError where there is none."""
        module, _, wanted = name.rpartition(".")
        for node in self.module(module).body:
            if isinstance(node, ast.ClassDef) and node.name == wanted:
                return node
        raise LookupError(name)

    def fields(self, name: str) -> set[str]:
        """The names that a class declares, and those that its methods set on `self`."""
        node = self.of_class(name)
        declared = {
            line.target.id
            for line in node.body
            if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)
        }
        properties = {line.name for line in node.body if isinstance(line, ast.FunctionDef)}
        return (
            declared
            | properties
            | {
                part.attr
                for part in ast.walk(node)
                if isinstance(part, ast.Attribute)
                and isinstance(part.ctx, ast.Store)
                and isinstance(part.value, ast.Name)
                and part.value.id == "self"
            }
        )

    def method(self, class_name: str, name: str) -> ast.FunctionDef:
        """A method, also one that a class of the same module hands down."""
        node = self.of_class(class_name)
        for line in node.body:
            if isinstance(line, ast.FunctionDef) and line.name == name:
                return line
        module = class_name.rpartition(".")[0]
        for base in node.bases:
            if isinstance(base, ast.Name):
                return self.method(f"{module}.{base.id}", name)
        raise LookupError(f"{class_name}.{name}")


def takes(method: ast.FunctionDef, by_place: int, by_name: tuple[str, ...]) -> bool:
    """True if a method can be called with so many arguments by place and these by name."""
    arguments = method.args
    static = any(isinstance(one, ast.Name) and one.id == "staticmethod"
                 for one in method.decorator_list)  # fmt: skip
    places = [one.arg for one in arguments.posonlyargs + arguments.args][0 if static else 1 :]
    needed = places[: len(places) - len(arguments.defaults)]
    alone = {one.arg for one in arguments.kwonlyargs}
    if by_place > len(places) and arguments.vararg is None:
        return False
    known = set(places[by_place:]) | alone
    if arguments.kwarg is None and not set(by_name) <= known:
        return False
    return set(needed[by_place:]) <= set(by_name)
