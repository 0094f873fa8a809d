"""The flags of rows: replaced by origin, and gone with their plan."""

from llmbatch.store import flags, plans
from llmbatch.store.database import Database
from llmbatch.store.flags import Flag, FlagCount, Flags
from llmbatch.store.rendered_rows import RenderedRow


def test_flags_are_counted_and_read_by_row(healthy: Database) -> None:
    signs = [Flag(1, "sign", "echo", "all of it"), Flag(3, "sign", "echo")]
    flags.replace(healthy, "sign", [signs, []])
    flags.replace(healthy, "check", [[Flag(3, "check", "total")]])
    assert flags.counts(healthy) == [FlagCount("sign", "echo", 2), FlagCount("check", "total", 1)]
    assert flags.flagged_rows(healthy) == 2
    reader = Flags(healthy)
    assert [reader.of(row) for row in (1, 2, 3)] == [
        [Flag(1, "sign", "echo", "all of it")],
        [],
        [Flag(3, "check", "total"), Flag(3, "sign", "echo")],
    ]


def test_flags_of_one_origin_are_replaced_whole(healthy: Database) -> None:
    flags.replace(healthy, "sign", [[Flag(1, "sign", "echo")]])
    flags.replace(healthy, "check", [[Flag(1, "check", "total")]])
    flags.replace(healthy, "sign", [])
    assert flags.counts(healthy) == [FlagCount("check", "total", 1)]


def test_flags_are_gone_with_their_plan(healthy: Database) -> None:
    flags.replace(healthy, "sign", [[Flag(1, "sign", "echo")]])
    rendered = [RenderedRow(row, "e" * 32, None, None, "text") for row in (1, 2, 3, 4, 6)]
    plans.replace(healthy, 1, "another", [rendered], None)
    assert flags.counts(healthy) == []
    assert Flags(healthy).of(1) == []
