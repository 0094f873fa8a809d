"""A journal holds what was synced, knows what is torn, and takes nothing after a doubt."""

import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from llmbatch.core.errors import UnwrittenError
from llmbatch.store import frames
from llmbatch.store.frames import Extent
from llmbatch.store.journal import Journal

FRAMES = 5


def tables(number: int) -> frames.Tables:
    return {
        "attempts": {"key": [f"{number}" * 32], "answer": ["ü 🦆 \x00" * number], "kind": [None]}
    }


def numbers(path: Path, after: int = 0) -> list[int]:
    opened = Journal.open(path)
    try:
        return [frame.number for frame, _ in opened.frames(after)]
    finally:
        opened.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal of five frames."""
    path = tmp_path / "journal"
    opened = Journal.open(path)
    for number in range(1, FRAMES + 1):
        assert opened.append(tables(number)) == number
        opened.confirm()
    opened.close()
    return path


@pytest.fixture
def ends(path: Path) -> list[int]:
    """The end of each frame (bytes)."""
    content = path.read_bytes()
    starts = [place for place in range(len(content)) if content.startswith(b"LBFRAME2", place)]
    assert len(starts) == FRAMES
    return [*starts[1:], len(content)]


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 0xFF
    path.write_bytes(content)


def test_frames_come_back_as_they_were(path: Path) -> None:
    opened = Journal.open(path)
    found = [(frame.number, content) for frame, content in opened.frames(0)]
    assert found == [(n, tables(n)) for n in range(1, FRAMES + 1)]
    assert [frame.number for frame, _ in opened.frames(3)] == [4, 5]
    opened.close()


def test_a_journal_goes_on_where_it_ended(path: Path) -> None:
    opened = Journal.open(path)
    assert opened.append(tables(6)) == 6
    opened.close()
    assert numbers(path) == [1, 2, 3, 4, 5, 6]


def test_a_new_journal_is_empty(tmp_path: Path) -> None:
    assert numbers(tmp_path / "journal") == []
    assert frames.scan(tmp_path / "journal") == Extent(0, 0, 0, 0, 0)


def test_cut_off_anywhere_the_whole_frames_are_left(path: Path, ends: list[int]) -> None:
    content = path.read_bytes()
    for size in range(len(content) + 1):
        path.write_bytes(content[:size])
        whole = [end for end in ends if end <= size]
        end = whole[-1] if whole else 0
        expected = Extent(min(1, len(whole)), len(whole), end, size - end, 0)
        assert frames.scan(path) == expected


@pytest.mark.parametrize("rest", [b"\0" * 700, b"x" * 700, b"LBFRAME2" * 90])
def test_garbage_at_the_end_is_no_frame(path: Path, ends: list[int], rest: bytes) -> None:
    path.write_bytes(path.read_bytes() + rest)
    assert frames.scan(path) == Extent(1, FRAMES, ends[-1], len(rest), 0)


def test_a_last_frame_that_is_torn_anywhere_is_no_frame(path: Path, ends: list[int]) -> None:
    for place in range(ends[-2], ends[-1]):
        flip(path, place)
        assert frames.scan(path) == Extent(1, 4, ends[3], ends[4] - ends[3], 0)
        flip(path, place)


@pytest.mark.parametrize("victim", range(1, FRAMES))
def test_damage_in_the_middle_is_not_taken_for_the_end(
    path: Path, ends: list[int], victim: int
) -> None:
    for place in range(0 if victim == 1 else ends[victim - 2], ends[victim - 1]):
        flip(path, place)
        found = frames.scan(path)
        assert (found.last, found.beyond) == (victim - 1, FRAMES)
        flip(path, place)


def test_a_scan_meets_a_damaged_header(path: Path, ends: list[int]) -> None:
    flip(path, ends[1] + 20)
    assert frames.scan(path) == Extent(1, 2, ends[1], ends[4] - ends[1], FRAMES)


def test_a_damaged_payload_is_never_replayed(path: Path, ends: list[int]) -> None:
    flip(path, ends[2] - 1)
    assert numbers(path) == [1, 2, 4, 5]
    assert numbers(path, after=3) == [4, 5]


def test_each_frame_is_linked_to_the_one_before(path: Path) -> None:
    with path.open("rb") as stream:
        found = list(frames.whole(stream.fileno()))
    assert [frame.previous for frame in found] == [frames.ORIGIN, *(one.link for one in found[:-1])]
    assert len({frame.link for frame in found}) == FRAMES


def test_frames_of_another_history_do_not_follow(tmp_path: Path, path: Path) -> None:
    """Two journals put together by hand: the second part is none of the first."""
    other = Journal.open(tmp_path / "other")
    other.follow(FRAMES, b"x" * 16)
    other.append(tables(6))
    other.close()
    path.write_bytes(path.read_bytes() + (tmp_path / "other").read_bytes())
    found = frames.scan(path)
    assert (found.last, found.beyond) == (FRAMES, 6)


def test_an_unfinished_frame_is_cut_off_for_good(path: Path, ends: list[int]) -> None:
    os.truncate(path, ends[-1] - 1)
    opened = Journal.open(path)
    opened.cut()
    assert opened.append(tables(5)) == 5
    opened.close()
    assert path.stat().st_size == ends[-1]
    assert numbers(path) == [1, 2, 3, 4, 5]


@pytest.fixture
def file_size() -> Iterator[Callable[[int], None]]:
    """Lets no file of this process grow beyond a size: a disk that fills up."""
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, former[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, former)


@pytest.mark.parametrize("room", [0, 1, 30, 60])
def test_a_frame_that_does_not_fit_leaves_no_trace(
    path: Path, ends: list[int], file_size: Callable[[int], None], room: int
) -> None:
    opened = Journal.open(path)
    file_size(ends[-1] + room)
    with pytest.raises(UnwrittenError, match=r"cannot be written: File too large; .*run the same"):
        opened.append(tables(6))
    file_size(10**9)
    assert path.stat().st_size == ends[-1]
    with pytest.raises(UnwrittenError, match="the last commit failed"):
        opened.append(tables(6))
    opened.close()


def test_no_frame_is_taken_before_the_store_has_the_former_one(path: Path) -> None:
    opened = Journal.open(path)
    opened.append(tables(6))
    with pytest.raises(UnwrittenError, match="the last commit failed; run the same command again"):
        opened.append(tables(7))
    opened.confirm()
    assert opened.append(tables(7)) == 7
    opened.close()
    assert numbers(path, after=5) == [6, 7]
