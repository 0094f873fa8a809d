"""The things that a start teaches the next one."""

import resource
from pathlib import Path

import pytest

from llmbatch.engines import private_notes
from llmbatch.engines.vllm import start_memory, versions
from llmbatch.engines.vllm.start_memory import Known
from llmbatch.store import running_code

SEEN = Known({"PRELOAD": "/lib", "GONE": None}, {"THREADS": "1"}, 1)


def test_what_a_start_has_shown_is_known_to_the_next(tmp_path: Path) -> None:
    note = tmp_path / "starts" / "a"
    start_memory.keep(note, None, SEEN, had_missed=False)
    assert start_memory.known(note) == SEEN


def test_starts_that_are_others_each_time_get_no_spares(tmp_path: Path) -> None:
    note = tmp_path / "starts" / "a"
    useful = []
    for missed in (False, True, True, False):
        start_memory.keep(note, start_memory.known(note), SEEN, had_missed=missed)
        known = start_memory.known(note)
        assert known is not None
        useful.append(known.is_useful)
    assert useful == [True, True, False, True]


def test_a_note_of_another_form_is_none(tmp_path: Path) -> None:
    note = tmp_path / "starts" / "a"
    private_notes.write(note, {"core": {}, "later": 1})
    assert start_memory.known(note) is None


def test_changes_are_what_makes_one_of_the_other() -> None:
    former = {"A": "1", "B": "2", "TMPDIR": "/x"}
    now = {"A": "3", "C": "4", "TMPDIR": "/y"}
    found = start_memory.changes(now, former, {"TMPDIR": ""})
    assert found == {"A": "3", "B": None, "C": "4"}
    assert start_memory.changed(former, found) == {"A": "3", "C": "4", "TMPDIR": "/x"}


def test_notes_can_be_switched_off(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LLMBATCH_STARTS", str(tmp_path))
    place = start_memory.place({"max_num_seqs": 4})
    assert place is not None and place.parent == tmp_path
    assert start_memory.place({"max_num_seqs": 5}) != place
    monkeypatch.setenv("LLMBATCH_STARTS", "off")
    assert start_memory.place({"max_num_seqs": 4}) is None


def test_other_code_another_vllm_or_environment_has_notes_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    places = {start_memory.place({})}
    with monkeypatch.context() as changed:
        changed.setattr(versions, "installed", lambda: "0.99.0")
        places.add(start_memory.place({}))
    with monkeypatch.context() as changed:
        changed.setattr(running_code, "name", lambda: "other code")
        places.add(start_memory.place({}))
    for name in ("VLLM_CPU_KVCACHE_SPACE", "OMP_NUM_THREADS", "LD_PRELOAD"):
        with monkeypatch.context() as changed:
            changed.setitem(start_memory._AT_FIRST, name, "7")
            places.add(start_memory.place({}))
    assert len(places) == 6
    with monkeypatch.context() as changed:
        changed.setitem(start_memory._AT_FIRST, "WORD", "7")  # decides on nothing
        assert start_memory.place({}) in places


@pytest.mark.parametrize("content", [b"", b"no note", b"\xff\n\xff", b"0" * 64 + b"\n{}"])
def test_a_note_that_cannot_be_read_is_none(tmp_path: Path, content: bytes) -> None:
    note = tmp_path / "a"
    note.write_bytes(content)
    assert start_memory.known(note) is None
    start_memory.keep(note, None, SEEN, had_missed=False)
    assert start_memory.known(note) == SEEN


def test_a_note_that_cannot_be_kept_harms_nothing(tmp_path: Path) -> None:
    """In a folder that is a file, in one that takes none, under the name of a folder, and on a full
    disk."""
    (tmp_path / "file").touch()
    (tmp_path / "a" / "b").mkdir(parents=True)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for note in (tmp_path / "file" / "a", Path("/proc/starts/a"), tmp_path / "a"):
        start_memory.keep(note, None, SEEN, had_missed=False)
        assert start_memory.known(note) is None
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        start_memory.keep(tmp_path / "full" / "a", None, SEEN, had_missed=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert start_memory.known(tmp_path / "full" / "a") is None
    assert [*(tmp_path / "full").iterdir()] == []
