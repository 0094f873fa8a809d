"""A name for the code that runs: another file of ours, another package beside it, or another Python
is another name, also where no version says so.

Named by what the file system says of the files, which costs some milliseconds: their contents would
cost five times as much.
"""

import hashlib
import os
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

from llmbatch.core.version import VERSION

_ROOT = Path(__file__).parents[1]
# What an installer writes about a package, by its name and version.
_PACKAGES = (".dist-info", ".egg-info")
_BYTECODE = "__pycache__"


@cache
def name() -> str:
    """The name of the code, taken once: what is loaded stays what it was."""
    return name_of(_ROOT, sys.path)


def name_of(root: Path, path: list[str]) -> str:
    """The name of the code in the folder `root`, with the packages in the folders of `path`."""
    named = [VERSION, sys.version, *sorted(_files(str(root))), *_packages(path)]
    text = "\n".join(named).encode(errors="surrogateescape")
    return hashlib.blake2b(text, digest_size=16).hexdigest()


def _files(folder: str) -> list[str]:
    """A line for each file of a folder and those in it. One that is packed away has none."""
    lines: list[str] = []
    with suppress(OSError), os.scandir(folder) as found:
        for each in found:
            if not each.is_dir():
                seen = each.stat()
                lines.append(f"{each.path} {seen.st_size} {seen.st_mtime_ns}")
            elif each.name != _BYTECODE:
                lines += _files(each.path)
    return lines


def _packages(path: list[str]) -> list[str]:
    """A line for each installed package."""
    lines: list[str] = []
    for folder in path:
        with suppress(OSError), os.scandir(folder or ".") as found:
            lines += sorted(each.name for each in found if each.name.endswith(_PACKAGES))
    return lines
