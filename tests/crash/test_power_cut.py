"""`power_cut.py` in its short form, and the disk that it builds on."""

import random
from pathlib import Path

import pytest

from tests.crash.disk import MANNERS, SECTOR, Disk
from tests.crash.events import Event
from tests.crash.power_cut import examine, record, summary
from tests.crash.tracer import Tracer

IMAGES = 45


def test_no_acknowledged_answer_is_missing_after_a_power_cut(
    tracer: Tracer, tmp_path: Path
) -> None:
    recording = record(tracer, tmp_path)
    result = examine(tracer, tmp_path, recording, IMAGES, seed=20261121)
    assert result.problems == [], summary(result)
    assert result.images == IMAGES
    # The experiment has found what it looks for: logs and files that were torn.
    assert result.replayed > 0
    assert result.acknowledged > IMAGES
    assert result.finished > 0


def disk(*events: Event, orderly: bool = True) -> Disk:
    made = Disk(orderly=orderly)
    for event in events:
        made.change(event)
    return made


def images(made: Disk) -> set[tuple[tuple[str, bytes], ...]]:
    rng = random.Random(1)
    return {
        tuple(sorted(made.image(rng, manner).items())) for manner in MANNERS for _ in range(200)
    }


CREATED = Event("create", "a")
FOLDER_SYNCED = Event("sync", ".")


def test_what_is_synced_stays() -> None:
    changes = (CREATED, Event("write", "a", 0, data=b"1"), Event("sync", "a"), FOLDER_SYNCED)
    assert images(disk(*changes)) == {(("a", b"1"),)}
    assert images(disk(*changes, orderly=False)) == {(("a", b"1"),)}


def test_a_name_is_certain_only_when_its_folder_is_synced() -> None:
    changes = (CREATED, Event("write", "a", 0, data=b"1"), Event("sync", "a"))
    assert images(disk(*changes, orderly=False)) == {(("a", b"1"),), ()}
    assert images(disk(*changes)) == {(("a", b"1"),)}


def test_unsynced_writes_come_in_any_choice() -> None:
    changes = (CREATED, FOLDER_SYNCED, *(Event("write", "a", n, data=b"%d" % n) for n in (0, 1)))
    found = {content for ((_, content),) in images(disk(*changes))}
    assert found == {b"", b"0", b"\x001", b"01"}


def test_a_write_is_torn_at_sectors() -> None:
    data = b"x" * SECTOR + b"y" * SECTOR
    changes = (CREATED, FOLDER_SYNCED, Event("write", "a", 10, data=data))
    found = {content for ((_, content),) in images(disk(*changes))}
    pieces = {content[10:] for content in found}
    assert {len(piece) for piece in pieces} >= {0, SECTOR - 10, len(data)}
    assert all(piece[:1] in (b"", b"x", b"\0") for piece in pieces)


def test_a_shortening_that_is_not_synced_may_be_undone() -> None:
    changes = (CREATED, Event("write", "a", 0, data=b"123"), Event("sync", "a"), FOLDER_SYNCED)
    found = images(disk(*changes, Event("truncate", "a", size=1)))
    assert found == {(("a", b"123"),), (("a", b"1"),)}


@pytest.mark.parametrize("orderly", [True, False])
def test_a_rename_is_whole_or_not_at_all(orderly: bool) -> None:
    synced = (CREATED, Event("create", "b"), Event("sync", "a"), Event("sync", "b"), FOLDER_SYNCED)
    made = disk(
        *synced,
        Event("write", "a", 0, data=b"new"),
        Event("sync", "a"),
        Event("rename", "a", target="b"),
        orderly=orderly,
    )
    assert images(made) == {(("b", b"new"),), (("a", b"new"), ("b", b""))}


def test_a_failed_call_changes_nothing() -> None:
    failed = Event("write", "a", 0, data=b"1", result=-28)
    assert images(disk(CREATED, FOLDER_SYNCED, failed)) == {(("a", b""),)}
