"""One file per format, reading and writing together."""

from llmbatch.core.exact_json import Json
from llmbatch.formats.base import Misfit, Reader, ReadOptions, Writer
from llmbatch.formats.lines import open_input
from llmbatch.formats.registry import FORMATS, detect, open_reader, open_writer, written_columns

__all__ = [
    "FORMATS",
    "Json",
    "Misfit",
    "ReadOptions",
    "Reader",
    "Writer",
    "detect",
    "open_input",
    "open_reader",
    "open_writer",
    "written_columns",
]
