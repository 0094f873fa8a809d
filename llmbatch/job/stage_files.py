"""The files that hold prompts of the models of a cascade."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

_TEXTS = ("prompt", "system")


def named(models: Any, folder: Path) -> list[str]:
    """The names of these files, of the list [[model]] of a job file in `folder`."""
    return [str(folder / name) for model in _tables(models) for _, name in _files(model)]


def filled(models: list[Any], folder: Path, read: Callable[[Path], str]) -> list[Any]:
    """The list with the content of the files in place of their names."""
    return [
        model | {key: read(folder / name) for key, name in _files(model)}
        if isinstance(model, dict)
        else model
        for model in models
    ]


def _tables(models: Any) -> list[dict[str, Any]]:
    return [each for each in models if isinstance(each, dict)] if isinstance(models, list) else []


def _files(model: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for key in _TEXTS:
        text = model.get(key)
        if isinstance(text, str) and text.startswith("@"):
            yield key, text[1:]
