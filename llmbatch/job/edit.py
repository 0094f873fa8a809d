"""Engine options written into a job file, which else stays as its user wrote it."""

import os
import re
import stat
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.exceptions import TOMLKitError

from llmbatch.core import files
from llmbatch.core.errors import UsageError
from llmbatch.core.option_name import written_names

MARK = "llmbatch tune"
"""The beginning of the comment line that `tune` leaves in a job file."""

_FORMER = re.compile(rf"^# {MARK}, [^\n]*\n", re.MULTILINE)
_HEADER = re.compile(r"^[ \t]*\[[ \t]*engine[ \t]*\][^\n]*\n", re.MULTILINE)


def check_writable(job_file: Path) -> None:
    """Raise UsageError if the job file could not be replaced."""
    final = job_file.resolve()
    if not (os.access(final, os.W_OK) and os.access(final.parent, os.W_OK | os.X_OK)):
        raise UsageError(f"{job_file}: cannot be written; with --dry-run it need not be")


def set_engine_options(job_file: Path, options: Mapping[str, Any], note: str) -> None:
    """Set keys of the `[engine]` table, under a comment line with the note, which takes the place
    of a former one. Everything else stays, byte for byte.

    Raises UsageError when the file cannot be read or written.
    """
    final = job_file.resolve()  # a link stays, the file behind it is replaced
    try:
        text = with_options(final.read_bytes().decode(), options, note)
        mode = stat.S_IMODE(final.stat().st_mode)
        with files.atomic(final) as stream:
            os.fchmod(stream.fileno(), mode)
            stream.write(text.encode())
    except OSError as error:
        raise UsageError(f"{job_file}: cannot be written: {error.strerror}") from error
    except (TOMLKitError, UnicodeDecodeError) as error:
        raise UsageError(f"{job_file}: is not TOML any more: {error}") from error


def with_options(text: str, options: Mapping[str, Any], note: str) -> str:
    """The text of a job file with other engine options.

    New ones come first in the table: at its end they would follow the comment that belongs to
    the next table.
    """
    document = tomlkit.parse(text)
    if "engine" not in document:
        document["engine"] = tomlkit.table()
    table = document["engine"]
    assert isinstance(table, dict)
    written = written_names(table)
    for name in options.keys() & written.keys():
        table[written[name]] = _on_one_line(options[name])
    changed = tomlkit.dumps(document)
    new = {name: _on_one_line(options[name]) for name in options if name not in written}
    table.update(new)
    return _under_header(changed, new, note) or tomlkit.dumps(document)


def _on_one_line(value: Any) -> Any:
    """A table as `{ key = value }`, not with a header of its own."""
    if not isinstance(value, Mapping):
        return value
    table = tomlkit.inline_table()
    table.update(value)
    return table


def _under_header(text: str, new: Mapping[str, Any], note: str) -> str | None:
    """`text` with the note and the new keys under the table's header; None if it has none."""
    plain = _FORMER.sub("", text if text.endswith("\n") else text + "\n")
    expected = tomllib.loads(text)
    expected["engine"] |= new
    lines = [f"# {MARK}, {note}", *tomlkit.dumps(new).splitlines()]
    for header in _HEADER.finditer(plain):
        end = "\r\n" if header[0].endswith("\r\n") else "\n"
        added = "".join(line + end for line in lines)
        noted = plain[: header.end()] + added + plain[header.end() :]
        # A line like the header, or like our comment, may be part of a prompt.
        with suppress(tomllib.TOMLDecodeError):
            if tomllib.loads(noted) == expected:
                return noted
    return None
