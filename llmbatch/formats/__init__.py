"""One file per format, reading and writing together."""

from llmbatch.core.exact_json import Json
from llmbatch.formats.base import Misfit, Reader, ReadOptions, WriteOptions, Writer
from llmbatch.formats.packed import open_input
from llmbatch.formats.registry import (
    FORMATS,
    check_rows,
    detect,
    is_known,
    open_reader,
    open_writer,
    written_columns,
)

__all__ = [
    "FORMATS",
    "Json",
    "Misfit",
    "ReadOptions",
    "Reader",
    "WriteOptions",
    "Writer",
    "check_rows",
    "detect",
    "is_known",
    "open_input",
    "open_reader",
    "open_writer",
    "written_columns",
]
