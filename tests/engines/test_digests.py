"""A big file is read once; what is kept of it is believed only as far as it can be checked."""

import hashlib
import os
import shutil
import threading
import time
from pathlib import Path

import orjson
import pytest

from llmbatch.engines import digests, model_files
from llmbatch.engines.config import EngineConfig
from llmbatch.engines.digests import BIG, Digests
from llmbatch.engines.vllm import engine

SIZE = BIG + 12_345


def bytes_read() -> int:
    """By this process so far, from any file."""
    return int(Path("/proc/self/io").read_text().split()[1])


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Big files that were last changed long enough ago."""
    folder = tmp_path_factory.mktemp("big")
    for number in range(6):
        (folder / f"{number}").write_bytes(bytes([number]) * SIZE)
    time.sleep(2.05)
    return folder


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_for(cache: Digests, path: Path) -> tuple[str, int]:
    """The digest of a file, and how many bytes were read for it."""
    before = bytes_read()
    (found,) = cache.compute([path])
    return found, bytes_read() - before


def test_the_name_of_a_model_stays_what_it_was(tmp_path: Path) -> None:
    """Every stored answer is kept under it."""
    (tmp_path / "config.json").write_text('{"model_type": "qwen3"}')
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/part.bin").write_bytes(b"part")
    with (tmp_path / "model.safetensors").open("wb") as weights:
        weights.truncate(SIZE)
    assert model_files.fingerprint(tmp_path) == (
        "sha256:cbb4001c3d217225da180de052b7ef13bc4158765d3921737e18a66cd56a39de"
    )


def test_a_second_use_in_the_process_reads_nothing(settled: Path) -> None:
    cache = Digests(None)
    assert read_for(cache, settled / "0")[0] == digest(settled / "0")
    again, read = read_for(cache, settled / "0")
    assert again == digest(settled / "0")
    assert read < 20_000


def test_another_engine_of_the_same_model_reads_none_of_its_weights(settled: Path) -> None:
    """A restart asks whether the model is still the one that the run began with."""
    (settled / "config.json").write_text("{}")
    first = engine.create(EngineConfig(str(settled))).identity()
    before = bytes_read()
    assert engine.create(EngineConfig(str(settled))).identity() == first
    assert bytes_read() - before < BIG


def test_the_next_process_reads_samples(settled: Path, kept: Path) -> None:
    found, read = read_for(Digests(kept), settled / "1")
    assert read >= SIZE
    again, read = read_for(Digests(kept), settled / "1")
    assert again == found == digest(settled / "1")
    assert read < SIZE / 8
    assert kept.stat().st_mode & 0o777 == 0o700
    (note,) = kept.iterdir()
    assert note.stat().st_mode & 0o777 == 0o600


def note_of(kept: Path) -> tuple[Path, dict[str, object]]:
    (path,) = kept.iterdir()
    return path, orjson.loads(path.read_bytes().partition(b"\n")[2])


def rewrite(path: Path, note: dict[str, object]) -> None:
    content = orjson.dumps(note)
    path.write_bytes(hashlib.sha256(content).hexdigest().encode() + b"\n" + content)


def test_a_file_that_was_changed_in_place_is_read_again(kept: Path, tmp_path: Path) -> None:
    """With its size and its mtime as before; the time of the inode's change cannot be put back."""
    path = tmp_path / "weights"
    path.write_bytes(b"a" * SIZE)
    time.sleep(2.05)
    cache = Digests(kept)
    first, _ = read_for(cache, path)
    before = path.stat()
    with path.open("rb+") as file:
        file.seek(SIZE // 2)
        file.write(b"b")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    for asked in (cache, Digests(kept)):
        assert read_for(asked, path)[0] == digest(path) != first


def test_what_is_kept_is_checked_against_the_file(settled: Path, kept: Path) -> None:
    """Should the file system tell the same of other content, samples show it."""
    Digests(kept).compute([settled / "2"])
    path, note = note_of(kept)
    blocks = [[start, "0" * 64] for start, _ in note["blocks"]]  # type: ignore[attr-defined]
    rewrite(path, note | {"blocks": blocks, "digest": "0" * 64})
    assert read_for(Digests(kept), settled / "2")[0] == digest(settled / "2")
    assert note_of(kept)[1]["digest"] == digest(settled / "2")


@pytest.mark.parametrize(
    "damage",
    ["empty", "cut", "flipped", "of another file", "not JSON", "open to others", "a link"],
)
def test_damage_in_the_cache_is_no_failure(settled: Path, kept: Path, damage: str) -> None:
    Digests(kept).compute([settled / "3"])
    path, note = note_of(kept)
    content = path.read_bytes()
    forged = {"digest": "f" * 64}
    if damage == "empty":
        path.write_bytes(b"")
    elif damage == "cut":
        path.write_bytes(content[:-20])
    elif damage == "flipped":
        path.write_bytes(content.replace(digest(settled / "3").encode()[:8], b"00000000"))
    elif damage == "of another file":
        rewrite(path, note | forged | {"path": str(settled / "4")})
    elif damage == "not JSON":
        path.write_bytes(hashlib.sha256(b"{").hexdigest().encode() + b"\n{")
    else:
        rewrite(path, note | forged)
        if damage == "a link":
            path.rename(kept.with_name("elsewhere"))
            path.symlink_to(kept.with_name("elsewhere"))
        else:
            path.chmod(0o666)
    assert Digests(kept).compute([settled / "3"]) == [digest(settled / "3")]


def test_a_cache_that_others_can_write_is_not_used(settled: Path, kept: Path) -> None:
    kept.mkdir()
    kept.chmod(0o777)
    assert Digests(kept).compute([settled / "3"]) == [digest(settled / "3")]
    assert list(kept.iterdir()) == []


def test_without_a_place_for_it_files_are_read(settled: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in (None, tmp_path / "file/cache", Path("/proc/nowhere")):
        assert Digests(place).compute([settled / "3"]) == [digest(settled / "3")]


def test_a_file_that_is_still_being_written_is_not_kept(kept: Path, tmp_path: Path) -> None:
    (tmp_path / "new").write_bytes(b"n" * SIZE)
    Digests(kept).compute([tmp_path / "new"])
    assert not kept.exists()


def test_small_files_are_always_read(settled: Path, kept: Path) -> None:
    small = settled / "small"
    small.write_bytes(b"small")
    assert Digests(kept).compute([small, settled / "0"]) == [digest(small), digest(settled / "0")]
    assert len(list(kept.iterdir())) == 1


def test_two_processes_at_a_time(settled: Path, kept: Path) -> None:
    paths = [settled / f"{number}" for number in range(6)]
    expected = [digest(path) for path in paths]
    found: list[list[str]] = []
    threads = [
        threading.Thread(target=lambda: found.append(Digests(kept).compute(paths)))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 3
    assert len(list(kept.iterdir())) == 6
    assert Digests(kept).compute(paths) == expected


def test_the_same_file_under_another_name_is_known(settled: Path, kept: Path) -> None:
    Digests(kept).compute([settled / "5"])
    (kept.parent / "link").symlink_to(settled)
    found, read = read_for(Digests(kept), kept.parent / "link/5")
    assert found == digest(settled / "5")
    assert read < SIZE / 8


def test_a_copy_is_another_file(settled: Path, kept: Path) -> None:
    Digests(kept).compute([settled / "5"])
    copy = Path(shutil.copy2(settled / "5", kept.parent / "copy"))
    assert read_for(Digests(kept), copy)[1] >= SIZE


@pytest.mark.parametrize(
    ("environment", "place"),
    [
        ({"XDG_CACHE_HOME": "/c"}, Path("/c/llmbatch/digests")),
        ({"LLMBATCH_DIGESTS": "/d", "XDG_CACHE_HOME": "/c"}, Path("/d")),
        ({"LLMBATCH_DIGESTS": "off"}, None),
        ({}, Path("~/.cache/llmbatch/digests").expanduser()),
    ],
)
def test_where_digests_are_kept(environment: dict[str, str], place: Path | None) -> None:
    assert digests.folder(environment) == place


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Digests(None).compute([tmp_path / "nowhere"])
