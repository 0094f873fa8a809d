"""The things that a start teaches the next one."""

from pathlib import Path

import pytest

from llmbatch.engines import private_notes
from llmbatch.engines.vllm import start_memory
from llmbatch.engines.vllm.start_memory import Known

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
