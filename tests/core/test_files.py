"""A name exists only when what it names is whole."""

import threading
from pathlib import Path

import pytest

from llmbatch.core import files


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    final = tmp_path / "out.csv"
    with files.atomic(final) as stream:
        stream.write(b"half ")
        stream.flush()
        assert not final.exists()
        stream.write(b"whole")
    assert final.read_bytes() == b"half whole"
    assert names(tmp_path) == ["out.csv"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_exception_leaves_the_former_file(tmp_path: Path, error: type[BaseException]) -> None:
    final = tmp_path / "out.csv"
    final.write_bytes(b"former")
    with pytest.raises(error), files.atomic(final) as stream:
        stream.write(b"half")
        raise error
    assert final.read_bytes() == b"former"
    assert names(tmp_path) == ["out.csv"]


def test_an_exception_leaves_no_file_where_none_was(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="x"), files.atomic(tmp_path / "out.csv"):
        raise ValueError("x")
    assert names(tmp_path) == []


def test_a_draft_is_hidden_and_lies_beside_its_name(tmp_path: Path) -> None:
    with files.atomic(tmp_path / "out.csv"):
        (draft,) = names(tmp_path)
    assert draft.startswith(".out.csv.")
    assert draft.endswith(".partial")


def test_a_folder_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError), files.atomic(tmp_path / "no" / "out.csv"):
        pass


def test_publishing_replaces_what_had_the_name(tmp_path: Path) -> None:
    (tmp_path / "draft").write_bytes(b"new")
    (tmp_path / "final").write_bytes(b"old")
    files.publish(tmp_path / "draft", tmp_path / "final")
    assert (tmp_path / "final").read_bytes() == b"new"
    assert names(tmp_path) == ["final"]


def test_a_reader_sees_one_text_or_the_other(tmp_path: Path) -> None:
    final = tmp_path / "status.json"
    texts = ["a" * 100_000, "b" * 50_000]
    files.replace_text(final, texts[0])
    done = threading.Event()

    def write() -> None:
        for number in range(200):
            files.replace_text(final, texts[number % 2])
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not done.is_set():
        assert final.read_text() in texts
    writer.join()
