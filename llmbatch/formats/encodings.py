"""The encoding of an input, decided over all of it before any record is read.

UTF-8 needs no words. Another one is found by its mark, by the pattern of UTF-16, or because all of
the text is as Western European texts are in cp1252 (Latin-1 is a part of it). What could be
any of several is refused, with the flag that says it.
"""

import codecs
import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from llmbatch.core.errors import UsageError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_CHUNK = 1024 * 1024
# Text that stays in the processor's cache is decoded in half the time.
_SMALL_CHUNK = 64 * 1024
_HEAD = 4096
# Longer marks first: the UTF-32 one begins like the UTF-16 one.
_MARKS = (
    (b"\xff\xfe\0\0", "utf-32"),
    (b"\0\0\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_UTF8 = ("utf-8", "utf-8-sig", "ascii")
# Bytes that Western European texts in cp1252 hold: letters, and signs.
_LETTERS = rb"\x8c\x9c\xc0-\xcf\xd1-\xd6\xd8-\xdd\xdf-\xef\xf1-\xf6\xf8-\xfd"
_SIGNS = rb"\x80\x82\x84-\x87\x89\x8b\x91-\x97\x99\x9b\xa0-\xa9\xab-\xbf\xaa\xd7\xf7"
_FOREIGN = re.compile(
    rb"[^\0-\x7f\xd1\xf1" + _LETTERS + _SIGNS + rb"]"
    # A sign within a word is a letter of another encoding, as are many accents in a row.
    rb"|[A-Za-z][\x80\x82\x84-\x87\x89\x8b\x93-\x95\x99\x9b\xa1-\xa3\xa5-\xa7\xaa-\xac\xae-\xb6"
    rb"\xb8-\xbf\xd7\xf7][A-Za-z]"
    rb"|[\xc0-\xff]{3}|[\x80-\x9f\xa1-\xff]{4}"
)
_WORD = re.compile(rb"[\w\x80-\xff]{0,20}[\x80-\xff][\w\x80-\xff]{0,20}")
_CHOICES = (
    "cp1252 (Western Europe), cp1250 (Central Europe), cp1251 (Cyrillic), cp850, mac-roman, "
    "gb18030 (Chinese), cp932 (Japanese), ..."
)


@dataclass(frozen=True, slots=True)
class Encoding:
    """An encoding by its Python name, and the words for how it was found (none: it is UTF-8, or was
    given)."""

    name: str
    found: str = ""


def find(stream: BinaryIO, name: str, given: str | None) -> Encoding:
    """The encoding of all of `stream`, which is read from its beginning and left anywhere. Raises
    UsageError for an input that is not in the given one, and where no guess is safe."""
    stream.seek(0)
    if given is not None and given not in _UTF8:
        _check(stream, name, given)
        return Encoding(given)
    head = stream.read(_HEAD)
    marked = next((encoding for mark, encoding in _MARKS if head.startswith(mark)), None)
    foreign = marked or _of_zeros(head)
    if foreign and given is None:
        stream.seek(0)
        _check(stream, name, foreign)
        return Encoding(foreign, f"{foreign.upper()} as encoding")
    stream.seek(0)
    if given is not None or _is_utf8(stream):
        return Encoding("utf-8")
    stream.seek(0)
    return _single_byte(stream, name)


def _of_zeros(head: bytes) -> str | None:
    """UTF-16 without a mark: in plain text every second byte is zero."""
    half = len(head) // 2
    if half < 4:
        return None
    odd, even = head[1::2].count(0), head[::2].count(0)
    if odd > 0.4 * half and even < 0.05 * half:
        return "utf-16-le"
    return "utf-16-be" if even > 0.4 * half and odd < 0.05 * half else None


def _is_utf8(stream: BinaryIO) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    is_split = False
    while chunk := stream.read(_SMALL_CHUNK):
        if chunk.isascii() and not is_split:
            continue
        try:
            decoder.decode(chunk)
        except UnicodeDecodeError:
            return False
        is_split = bool(decoder.getstate()[0])
    return not is_split


def _check(stream: BinaryIO, name: str, encoding: str) -> None:
    """Raise UsageError if the stream is not in this encoding."""
    decoder, line = codecs.getincrementaldecoder(encoding)(), 1
    while True:
        chunk = stream.read(_CHUNK)
        try:
            line += decoder.decode(chunk, not chunk).count("\n")
        except UnicodeDecodeError as error:
            line += error.object[: error.start].decode(encoding, "replace").count("\n")
            raise UsageError(
                f"{name}: line {line}: is not {encoding.upper()} text; name its encoding: "
                f"--encoding utf-8, {_CHOICES}"
            ) from error
        if not chunk:
            return


def _single_byte(stream: BinaryIO, name: str) -> Encoding:
    """UTF-8 with some damage, or cp1252, of a stream that is not all UTF-8."""
    whole = damaged = 0
    example = foreign = ""
    for number, line in enumerate(iter(lambda: stream.readline(_CHUNK), b""), 1):
        if line.isascii():
            continue
        read = line.decode("utf-8", "surrogateescape")
        bad = sum("\udc80" <= character <= "\udcff" for character in read)
        whole += sum(character > "\x7f" for character in read) - bad
        damaged += bad
        if bad and (odd := _FOREIGN.search(line)) and not foreign:
            foreign = f"line {number}: holds {odd[0]!r}"
        if bad and not example and (word := _WORD.search(line)):
            example = f"line {number}: {word[0].decode('cp1252', 'replace')!r}"
    if whole > damaged:
        return Encoding("utf-8")
    if foreign:
        raise UsageError(
            f"{name}: {foreign}, which is not UTF-8 and could be many encodings; name the right "
            f"one: --encoding {_CHOICES}; with --encoding utf-8 such lines are rejected"
        )
    return Encoding("cp1252", f"cp1252 as encoding ({example})")


def as_utf8(stream: BinaryIO, encoding: str) -> BinaryIO:
    """The same text in UTF-8, from the beginning; `stream` stays the caller's to close."""
    stream.seek(0)
    if encoding in _UTF8:
        return stream
    return io.BufferedReader(_Transcoded(stream, encoding), _CHUNK)


class _Transcoded(io.RawIOBase):
    """Text in some encoding as a raw stream of UTF-8, from where the stream is."""

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._ready = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer).cast("B")
        while not self._ready:
            chunk = self._stream.read(_CHUNK)
            self._ready = self._decoder.decode(chunk, not chunk).encode()
            if not chunk:
                break
        part = self._ready[: len(view)]
        view[: len(part)] = part
        self._ready = self._ready[len(part) :]
        return len(part)
