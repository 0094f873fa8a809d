"""Packed files are known by their content, can be read again, and their damage is told."""

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from llmbatch.core.errors import UsageError
from llmbatch.formats import packed

DATA = b"".join(b"%d,%d\n" % (number, number * 7919 % 10007) for number in range(20_000))


def zstd(data: bytes) -> bytes:
    packed: Any = pa.compress(data, codec="zstd", asbytes=True)
    return bytes(packed)


def zipped(data: bytes, name: str = "in.csv") -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return whole.getvalue()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstd,
    "zip": zipped,
}


def read(path: Path) -> bytes:
    members = packed.members(str(path))
    with packed.open_input(str(path), members[0] if members else None) as stream:
        return stream.read()


@pytest.mark.parametrize("kind", PACKERS)
def test_a_packed_file_is_read_whatever_its_name(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(PACKERS[kind](DATA))
    assert read(path) == DATA


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz", "zstd"])
def test_several_packed_files_in_a_row_are_one(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(PACKERS[kind](DATA) + PACKERS[kind](DATA))
    assert read(path) == DATA + DATA


@pytest.mark.parametrize("kind", PACKERS)
def test_it_is_read_again_from_its_beginning(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(PACKERS[kind](DATA))
    member = "in.csv" if kind == "zip" else None
    with packed.open_input(str(path), member) as stream:
        assert packed.is_packed(stream)
        assert stream.read(10) == DATA[:10]
        assert packed.head(stream, 5) == DATA[:5]
        assert stream.seek(1000) == 1000
        assert stream.read() == DATA[1000:]
        assert stream.seek(0, io.SEEK_END) == len(DATA)


@pytest.mark.parametrize("kind", PACKERS)
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_one_that_was_cut_is_told_by_its_name(tmp_path: Path, kind: str, share: float) -> None:
    whole = PACKERS[kind](DATA)
    path = tmp_path / "in.csv"
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(UsageError, match=rf"in.csv: the {kind} data .*: fetch the .*file again"):
        read(path)


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz", "zip"])
def test_damage_within_is_told(tmp_path: Path, kind: str) -> None:
    whole = bytearray(PACKERS[kind](DATA))
    middle = len(whole) // 2
    for at in range(middle, middle + 8):
        whole[at] ^= 0xFF
    path = tmp_path / "in.csv"
    path.write_bytes(bytes(whole))
    with pytest.raises(UsageError, match="data is damaged"):
        read(path)


def test_a_file_may_be_packed_twice_and_plain_ones_stay_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "in.csv.gz"
    path.write_bytes(lzma.compress(gzip.compress(DATA)))
    assert read(path) == DATA
    path.write_bytes(DATA)
    assert read(path) == DATA
    path.write_bytes(b"")
    assert read(path) == b""


def test_members_are_sorted_and_hidden_ones_left_out(tmp_path: Path) -> None:
    path = tmp_path / "in.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("b.csv", "folder/a.csv", "__MACOSX/._b.csv", ".hidden.csv", "folder/.x"):
            archive.writestr(name, b"a\n1\n")
        archive.mkdir("empty")
    assert packed.members(str(path)) == ["b.csv", "folder/a.csv"]


def test_a_member_with_a_password_is_told_with_the_cure(tmp_path: Path) -> None:
    whole = bytearray(zipped(DATA))
    # The flag of an encrypted member, in its own header and in that of the directory.
    for magic, flag in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        whole[whole.index(magic) + flag] |= 1
    path = tmp_path / "in.zip"
    path.write_bytes(bytes(whole))
    with pytest.raises(UsageError, match=r"in.zip/in.csv: cannot be unpacked .*password.*7z x"):
        read(path)


def test_what_cannot_be_opened_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        packed.open_input(str(tmp_path / "none.csv"))
