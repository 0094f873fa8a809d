"""Files that are no tables of a known format: what they are, by content, and how to convert them.

A file's name decides only where its content says nothing.
"""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath

HEAD_BYTES = 2048
"""The bytes at the beginning of a file, unpacked, by which it is known."""

_SHEET = "soffice --headless --convert-to csv {file}"
_ATTACH = '--sql "ATTACH {name!r} AS db; SELECT * FROM db.TABLE"'
_A_TABLE = "read a table of it, in place of the file"
_NO_ROWS = "give a table with a row for each: its name or its text"


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of files: what one is; the command that makes a table of it, and the advice before it;
    the bytes with which it begins; the ends of its names; `is_text` if it has no other bytes."""

    what: str
    command: str
    begins: bytes = b""
    suffixes: tuple[str, ...] = ()
    advice: str = "convert it"
    is_text: bool = False


def _pandas(read: str, item: str = "") -> str:
    call = f"pandas.{read}({{name!r}}){item}"
    return f'python -c "import pandas; {call}.to_csv({{new!r}}, index=False)"'


def _arrow(module: str, read: str) -> str:
    table = f"given.{read}({{name!r}})"
    return (
        f'python -c "import pyarrow.{module} as given, pyarrow.parquet as new; '
        f'new.write_table({table}, {{parquet!r}})"'
    )


# Text that begins as a kind of binary files does has none of these bytes.
_BINARY = re.compile(rb"[\x00-\x08\x0e-\x19\x1c-\x1f]")
_UNPACK_FIRST = "unpack it, and give the files in it"
_EACH = "take its text out, and put each text into a row of a table"
# By content, the more special first.
_KINDS = (
    _Kind("a SQLite database", _ATTACH, rb"SQLite format 3\0", (".sqlite", ".sqlite3"), _A_TABLE),
    _Kind("a DuckDB database", _ATTACH, rb".{8}DUCK", (".duckdb", ".ddb"), _A_TABLE),
    _Kind("an Arrow file", _arrow("feather", "read_table"), rb"ARROW1|FEA1",
          (".feather", ".arrow", ".ipc")),
    _Kind("an Arrow stream",
          'python -c "import pyarrow as pa, pyarrow.parquet as new; '
          'new.write_table(pa.ipc.open_stream({name!r}).read_all(), {parquet!r})"',
          rb"\xff\xff\xff\xff[^\xff]{3}\0", (".arrows",)),
    _Kind("an ORC file", _arrow("orc", "read_table"), rb"ORC", (".orc",)),
    _Kind("an Avro file", "duckdb -c \"INSTALL avro; LOAD avro; COPY (FROM read_avro({name!r})) "
          'TO {parquet!r}"', rb"Obj\x01", (".avro",)),
    _Kind("an SPSS file", _pandas("read_spss"), rb"\$FL[23]", (".sav", ".zsav", ".por")),
    _Kind("a Stata file", _pandas("read_stata"), rb"<stata_dta>|[\x71-\x75][\x01\x02]\x01\0",
          (".dta",)),
    _Kind("a SAS file", _pandas("read_sas"), rb"\0{12}\xc2\xea\x81\x60|HEADER RECORD\*{7}",
          (".sas7bdat", ".xpt")),
    _Kind("an HDF5 file", _pandas("read_hdf"), rb"\x89HDF\r\n", (".h5", ".hdf5", ".hdf")),
    _Kind("an R data file", 'Rscript -e "write.csv(readRDS({name!r}), {new!r}, row.names = FALSE)"',
          rb"X\n\0\0|RD[XA][23]\n", (".rds", ".rda", ".rdata")),
    _Kind("a Python pickle", _pandas("read_pickle"), rb"\x80[\x02-\x05][\x95}\]c(]",
          (".pkl", ".pickle"), "if you trust who made it, convert it"),
    _Kind("a NumPy file", 'python -c "import numpy, pandas; '
          'pandas.DataFrame(numpy.load({name!r})).to_csv({new!r}, index=False)"',
          rb"\x93NUMPY", (".npy", ".npz")),
    _Kind("a PDF document", "pdftotext -layout {file}", rb"%PDF-", (".pdf",), _EACH, True),
    _Kind("an RTF document", "pandoc -t plain -o {text} {file}", rb"\{\\rtf", (".rtf",), _EACH,
          True),
    _Kind("a 7z archive", "7z x {file}", rb"7z\xbc\xaf\x27\x1c", (".7z",), _UNPACK_FIRST),
    _Kind("a RAR archive", "unrar x {file}", rb"Rar!\x1a\x07", (".rar",), _UNPACK_FIRST),
    _Kind("a tar archive", "tar -xf {file}", rb".{257}ustar", (".tar", ".tgz", ".tbz", ".txz"),
          _UNPACK_FIRST),
    _Kind("packed with LZ4", "lz4 -d {file}", rb"\x04\x22\x4d\x18", (".lz4",), "unpack it"),
    _Kind("packed with compress", "uncompress {file}", rb"\x1f\x9d", (".z",), "unpack it"),
    _Kind("packed with lzip", "lzip -d {file}", rb"LZIP", (".lz",), "unpack it"),
    _Kind("packed with Snappy", "snzip -d {file}", rb"\xff\x06\0\0sNaPpY", (".snappy", ".sz"),
          "unpack it"),
    _Kind("packed with Brotli", "brotli -d {file}", b"", (".br",), "unpack it"),
    _Kind("a PNG image", "", rb"\x89PNG\r\n", (".png",), _NO_ROWS),
    _Kind("a JPEG image", "", rb"\xff\xd8\xff", (".jpg", ".jpeg"), _NO_ROWS),
    _Kind("a GIF image", "", rb"GIF8[79]a", (".gif",), _NO_ROWS),
    _Kind("a WebP image", "", rb"RIFF.{4}WEBP", (".webp",), _NO_ROWS),
    _Kind("a TIFF image", "", rb"II\*\0|MM\0\*", (".tif", ".tiff"), _NO_ROWS),
    _Kind("a BMP image", "", rb"BM.{4}\0\0\0\0", (".bmp",), _NO_ROWS),
    _Kind("an image", "", b"", (".svg", ".heic", ".ico", ".avif"), _NO_ROWS),
    _Kind("a sound file", "", rb"ID3|fLaC|OggS|RIFF.{4}WAVE", (".mp3", ".wav", ".flac", ".ogg"),
          _NO_ROWS),
    _Kind("a film", "", rb".{4}ftyp|\x1a\x45\xdf\xa3", (".mp4", ".mkv", ".mov", ".avi"), _NO_ROWS),
    _Kind("a program", "", rb"\x7fELF|MZ.\0", (".exe", ".so", ".dll"), "give a table"),
    _Kind("a pointer of Git LFS, and not the file itself", "git lfs pull --include {file}",
          rb"version https://git-lfs\.", (), "fetch it", True),
    _Kind("an HTML page (of an error, if it was downloaded)", _pandas("read_html", "[0]"),
          rb"(?i)\s*(<!--.*?-->\s*)?(<!doctype html|<html[\s>])", (".html", ".htm"),
          "take the first table out", True),
    _Kind("XML", _pandas("read_xml"), rb"\s*<\?xml\s", (".xml",), is_text=True),
    _Kind("YAML", "yq -o=json {file} > {json}", rb"%YAML ", (".yaml", ".yml"),
          is_text=True),
    _Kind("a Markdown text", "pandoc -t plain -o {text} {file}", b"", (".md",), _EACH),
    _Kind("a table of Apple Numbers", "", b"", (".numbers",), "export it as CSV in Numbers"),
    _Kind("a link to a Google sheet", "", b"", (".gsheet",), "download the sheet as CSV"),
)  # fmt: skip

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_OFFICE = {
    "word/document.xml": _Kind("a Word document", "pandoc -t plain -o {text} {file}", advice=_EACH),
    "ppt/presentation.xml": _Kind(
        "a PowerPoint presentation", "soffice --headless --convert-to pdf {file}", advice=_EACH
    ),
    "xl/workbook.bin": _Kind("a binary Excel workbook", _SHEET),
    "content.xml": _Kind("an OpenDocument file", _SHEET),
    "Index/Document.iwa": _Kind(
        "a table of Apple Numbers", "", advice="export it as CSV in Numbers"
    ),
}
_OLD_EXCEL = _Kind("an Excel workbook of the old kind (.xls)", _SHEET, suffixes=(".xls", ".xlt"))
_OLD_WORD = _Kind(
    "a Word document of the old kind",
    "soffice --headless --convert-to txt:Text {file}",
    suffixes=(".doc",),
    advice=_EACH,
)
_LOCKED = _Kind("protected by a password", "", advice="save it without one in Excel")
_BY_NAME = (
    *_KINDS,
    _OLD_EXCEL,
    _OLD_WORD,
    _Kind("an OpenDocument table", _SHEET, suffixes=(".ods", ".fods")),
    _Kind("a Word document", "pandoc -t plain -o {text} {file}", suffixes=(".docx",), advice=_EACH),
    _Kind("a binary Excel workbook", _SHEET, suffixes=(".xlsb",)),
)


def of_content(name: str, head: bytes) -> str | None:
    """The kind of a file with this beginning, and the way to a table, as the end of a message;
    None for one that may be a table."""
    if head.startswith(_OLE):
        return _said(_of_ole(name, head), name)
    found = next((kind for kind in _KINDS if _begins(kind, head)), None)
    return None if found is None else _said(found, name)


def of_name(name: str) -> str | None:
    """The same for a file of which only the name is looked at."""
    suffix = PurePath(name).suffix.lower()
    found = next((kind for kind in _BY_NAME if suffix in kind.suffixes), None)
    return None if found is None or not suffix else _said(found, name)


def of_archive(name: str, members: list[str]) -> str | None:
    """The same for a zip archive with these files, where it is the document of a program."""
    found = next((kind for member, kind in _OFFICE.items() if member in members), None)
    return None if found is None else _said(found, name)


def _begins(kind: _Kind, head: bytes) -> bool:
    if not kind.begins or not (kind.is_text or _BINARY.search(head)):
        return False
    return re.match(kind.begins, head, re.DOTALL) is not None


def _of_ole(name: str, head: bytes) -> _Kind:
    suffix = PurePath(name).suffix.lower()
    if _ENCRYPTED in head or suffix in (".xlsx", ".xlsm", ".docx"):
        return _LOCKED
    return _OLD_WORD if suffix in _OLD_WORD.suffixes else _OLD_EXCEL


def _said(kind: _Kind, name: str) -> str:
    path = PurePath(name)
    names = {
        "name": name,
        "file": shlex.quote(name),
        "new": str(path.with_suffix(".csv")),
        "parquet": str(path.with_suffix(".parquet")),
    }
    names |= {
        end: shlex.quote(str(path.with_suffix(suffix)))
        for end, suffix in (("csv", ".csv"), ("json", ".json"), ("text", ".txt"))
    }
    command = _filled(kind.command, names)
    return f"is {kind.what}: {kind.advice}{f': {command}' if command else ''}"


def _filled(command: str, names: Mapping[str, str]) -> str:
    """A command with the names in it; a program at its end stays one argument of the shell."""
    before, quote, program = command.partition(' "')
    if not quote or not program.endswith('"'):
        return command.format(**names)
    program = program[:-1].format(**names)
    quoted = shlex.quote(program) if re.search(r'["$`\\!]', program) else f'"{program}"'
    return f"{before.format(**names)} {quoted}"
