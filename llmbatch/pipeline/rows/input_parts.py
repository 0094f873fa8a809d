"""The files that an input stands for: of folders, patterns and archives those in them."""

import fnmatch
import glob
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from llmbatch import formats
from llmbatch.core.errors import UsageError
from llmbatch.formats import foreign, packed
from llmbatch.job import targets
from llmbatch.job.input import STDIN
from llmbatch.pipeline.rows.input_file import InputFile

_SHOWN = 3
_HIDDEN = (".", "~$")
_PARQUET = b"PAR1"
_WORKBOOK = "xl/workbook.xml"


@dataclass(frozen=True, slots=True)
class Part:
    """One file of an input, by its name in messages. `path`: None for standard input; `member`:
    the file within the zip archive that `path` is."""

    name: str
    path: Path | None
    format_name: str
    member: str | None = None

    @property
    def is_once(self) -> bool:
        """True for what can be read only once: standard input, a pipe."""
        return self.path is None or not self.path.is_file()


@dataclass(slots=True)
class Parts:
    """All files of an input, in order; `notes`: what of it is not read, a line each."""

    files: list[Part] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def find(source: InputFile) -> Parts:
    """The files of an input, all of one format. Raises UsageError where there are none, for a file
    that is missing or is no table, and for files of several formats."""
    found = Parts()
    seen: set[Path] = set()
    for name in source.names:
        for path in [None] if name == STDIN else list(_paths(name, found)):
            if path is not None and (real := path.resolve()) in seen and path.is_file():
                found.notes.append(f"{path}: is named more than once, and read once")
                continue
            seen |= set() if path is None else {real}
            found.files += parts_of(STDIN if path is None else str(path), path, source, found)
    check_formats(found.files, source)
    return found


def parts_of(name: str, path: Path | None, source: InputFile, found: Parts) -> list[Part]:
    """A file as a part, or the files of an archive; the path may be a copy of what is named."""
    given = source.format_name
    if path is None or not path.is_file():
        return [Part(name, path, formats.detect(name, given))]
    if not os.access(path, os.R_OK):
        raise UsageError(f"{name}: cannot be read; check its permissions")
    members = packed.members(str(path))
    if members is not None and _WORKBOOK not in members:
        return _members(name, path, members, source, found)
    format_name = _format(name, path, None, source, found, is_workbook=members is not None)
    return [Part(name, path, format_name)]


def check_formats(parts: Sequence[Part], source: InputFile) -> None:
    """Raise UsageError for files of several formats."""
    by_format = {part.format_name: part.name for part in reversed(parts)}
    if len(by_format) > 1:
        names = "; ".join(f"{name} is {format}" for format, name in by_format.items())
        raise UsageError(
            f"{source.name}: files of several formats ({names}): name those of one, such as "
            "'data/*.csv', and run the others as a job of their own"
        )


def check_apart(source: InputFile, written: Sequence[Path]) -> None:
    """Raise UsageError for a file that is to be written where a folder or a pattern of the input
    would find it in the next run."""
    for path in written:
        for name in source.names:
            if name != STDIN and formats.is_known(path.name) and _would_find(name, path):
                raise UsageError(
                    f"{path}: would be taken for a file of the input {name} in the next run; "
                    "put the output into another folder"
                )


def _would_find(name: str, path: Path) -> bool:
    given, real = Path(name), path.absolute()
    if given.exists():
        return given.is_dir() and given.resolve() == real.parent.resolve()
    pattern = str(given.absolute())
    whole = "**" in pattern and fnmatch.fnmatch(str(real), pattern)
    return glob.has_magic(name) and (whole or real.match(pattern))


def _paths(name: str, found: Parts) -> Iterator[Path]:
    """The files that a name stands for."""
    path = Path(name)
    status = targets.look_up(path, "input")
    if status is None and glob.has_magic(name):
        matches = [Path(match) for match in sorted(glob.glob(name, recursive=True))]  # noqa: PTH207
        files = [match for match in matches if match.is_file() and not _is_hidden(match)]
        if not files:
            raise UsageError(f"{name}: no file matches this pattern")
        yield from files
    elif status is None:
        raise UsageError(
            f"{path}: no such file; give a file, a folder, a quoted pattern, or - for stdin"
        )
    elif stat.S_ISDIR(status.st_mode):
        yield from _in_folder(path, found)
    else:
        yield path


def _in_folder(folder: Path, found: Parts) -> Iterator[Path]:
    """The files of known formats in a folder, by name."""
    try:
        entries = sorted(path for path in folder.iterdir() if not _is_hidden(path))
    except OSError as error:
        raise UsageError(f"{folder}: cannot be read: {error.strerror}") from error
    files = [path for path in entries if path.is_file()]
    tables = [path for path in files if _is_table(path)]
    others = [path.name for path in entries if path not in tables]
    if not tables:
        held = f" ({_some(others)})" if others else ""
        raise UsageError(
            f"{folder}: is a folder without a file of a known format{held}; name the files, or a "
            f"pattern such as '{folder}/**/*.csv' for those in its folders"
        )
    if others:
        found.notes.append(f"{folder}: not read, of no known format: {_some(others)}")
    yield from tables


def _is_table(path: Path) -> bool:
    return formats.is_known(path.name) or path.suffix.lower() == ".zip"


def _is_hidden(path: Path) -> bool:
    return path.name.startswith(_HIDDEN)


def _members(
    name: str, path: Path, members: list[str], source: InputFile, found: Parts
) -> list[Part]:
    """The tables in an archive: those of known formats, or its only file."""
    if said := foreign.of_archive(name, members):
        raise UsageError(f"{name}: {said}")
    tables = [member for member in members if formats.is_known(member)]
    if not tables and len(members) == 1 and (source.format_name or formats.is_known(name)):
        tables = members
    if not tables:
        held = f": {_some(members)}" if members else ""
        raise UsageError(f"{name}: is a zip archive without a file of a known format{held}")
    if others := [member for member in members if member not in tables]:
        found.notes.append(f"{name}: not read, of no known format: {_some(others)}")
    return [
        Part(f"{name}/{member}", path, _format(name, path, member, source, found), member)
        for member in tables
    ]


def _format(
    name: str,
    path: Path,
    member: str | None,
    source: InputFile,
    found: Parts,
    *,
    is_workbook: bool = False,
) -> str:
    """The format of a file: the given one, that of its content, or that of its name."""
    with packed.open_input(str(path), member) as stream:
        head = packed.head(stream, foreign.HEAD_BYTES)
    shown = name if member is None else f"{name}/{member}"
    if said := foreign.of_content(shown, head):
        raise UsageError(f"{shown}: {said}")
    given = source.format_name
    content = "xlsx" if is_workbook else "parquet" if head.startswith(_PARQUET) else None
    if given is None and content is None and (said := foreign.of_name(shown)):
        raise UsageError(f"{shown}: {said}")
    if given is not None or content is None:
        return formats.detect(_named(name, member), given)
    if not formats.is_known(shown) or formats.detect(shown, None) != content:
        found.notes.append(f"{shown}: is {content} by its content, and read as that")
    return content


def _named(name: str, member: str | None) -> str:
    """The name that says the format: of a member, or else of its archive."""
    return member if member is not None and formats.is_known(member) else name


def _some(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
