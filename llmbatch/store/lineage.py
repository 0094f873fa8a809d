"""The comparison of a store with the journal beside it: one history, or two.

Both count their transactions, and both keep the link of each (see `frames`). Where both have a
number, its links must be the same; then everything before it is the same, too.
"""

from dataclasses import dataclass
from pathlib import Path

from llmbatch.store import frames, journal
from llmbatch.store.database import Database
from llmbatch.store.frames import Extent, Link
from llmbatch.store.journal import DamagedError, ForeignError


@dataclass(frozen=True, slots=True)
class Agreement:
    """The steps that make the two agree. `stored` is the newest transaction of the store, `newest`
    that of either; `missing` of them are in the journal only; the last `torn` bytes of the journal
    are no whole frame.

    `is_rewritten`: the journal lacks records of the store. `is_kept`: it once had them, so a copy
    of it is kept.
    """

    stored: int
    newest: int
    missing: int
    torn: int
    is_rewritten: bool
    is_kept: bool

    @property
    def is_agreed(self) -> bool:
        return not (self.missing or self.torn or self.is_rewritten)

    def damage(self, path: Path) -> str:
        """The fault of the journal at `path`; empty if it has none but an unfinished end."""
        if not self.is_rewritten:
            return ""
        what = "is damaged" if self.is_kept else "lacks what the store holds"
        return f"{path} {what}; the next run writes it anew from the store"


def compare(
    db: Database, store: Path, descriptor: int, extent: Extent, *, stored: int, worked: bool
) -> Agreement:
    """Compare the store with its journal, which is open and has this extent. `stored`: the newest
    transaction of the store; `worked`: the store has records that belong into a journal.

    Raises DamagedError when the two cannot be made to agree without a loss, ForeignError when
    they have different histories.
    """
    is_known = check_links(db, store, descriptor, stored)
    if is_older(extent, stored, worked=worked):
        raise _older_error(store)
    missing = _count_missing(descriptor, extent, stored)
    if missing < 0:
        raise _lost_error(store)
    # Frames that the store has counted and the journal lacks were forgotten on purpose if the store
    # is empty: then the rest of an older journal must go, too.
    lacks = (worked and stored == 0) or (extent.newest < stored and (worked or extent.last > 0))
    is_rewritten = lacks or extent.beyond > 0 or (extent.torn > 0 and extent.last < stored)
    is_damaged = extent.torn > 0 and not 0 < stored == extent.last
    return Agreement(
        stored,
        max(stored, extent.newest),
        missing,
        extent.torn,
        is_rewritten,
        is_damaged or (is_rewritten and extent.last > 0 and not is_known),
    )


def is_older(extent: Extent, stored: int, *, worked: bool) -> bool:
    """True if the store ends before the journal begins, so that it cannot be continued."""
    return worked and extent.last > 0 and (stored == 0 or stored + 1 < extent.first)


def link(db: Database, number: int) -> Link:
    """The link of a transaction of the store; None if it has none."""
    found: Link = db.scalar("SELECT link FROM commits WHERE number = ?", [number])
    return found


def check_links(
    db: Database, store: Path, descriptor: int, stored: int, commits: str = "commits"
) -> bool:
    """True if store and journal are known to have one history; raises if they are known not to.

    `commits`: the table of the store's own transactions."""
    common = first = None
    for frame in frames.whole(descriptor, verified=False):
        first = first or frame
        if frame.number <= stored and (common is None or frame.number > common.number):
            common = frame
    if common is not None:
        counted = db.execute(f"SELECT link FROM {commits} WHERE number = ?", [common.number])
        if counted and counted[0][0] != common.link:
            raise _foreign_error(db, store, descriptor, stored, commits)
        return bool(counted) and common.link is not None
    if first is not None and stored and first.number == stored + 1:
        # The journal begins just where the store ends.
        ((own,),) = db.execute(f"SELECT link FROM {commits} WHERE number = ?", [stored])
        if own is not None and first.previous not in (None, own):
            raise _foreign_error(db, store, descriptor, stored, commits)
    return False


def _count_missing(descriptor: int, extent: Extent, stored: int) -> int:
    """The number of transactions that the store lacks; -1 if the journal lacks some of them."""
    if extent.newest <= stored:
        return 0
    if not extent.beyond:
        return extent.last - max(stored, extent.first - 1)
    reached = stored or max(0, extent.first - 1)
    count = 0
    for frame in frames.whole(descriptor):
        if frame.number == reached + 1:
            reached, count = frame.number, count + 1
    return count if reached == extent.newest else -1


def _older_error(store: Path) -> DamagedError:
    folder = store.parent
    return DamagedError(
        f"{folder}: the store is older than its journal; to put it aside and make a new one of "
        f"the journal: llmbatch repair {folder}"
    )


def _lost_error(store: Path) -> DamagedError:
    path = journal.path_for(store)
    return DamagedError(
        f"{path}: the journal is damaged in the middle, and the store does not hold all of it; "
        f"to save what is whole in both: llmbatch repair {store.parent}"
    )


def _foreign_error(
    db: Database, store: Path, descriptor: int, stored: int, commits: str
) -> ForeignError:
    own = dict(db.execute(f"SELECT number, link FROM {commits}"))
    seen = list(frames.whole(descriptor, verified=False))
    shared = [one.number for one in seen if one.link and own.get(one.number) == one.link]
    parted = f"they part after transaction {max(shared):,}" if shared else "they share nothing"
    name = journal.path_for(store).name
    return ForeignError(
        f"{store.parent}: the store and the journal beside it are of different histories: "
        f"{parted}, the store goes on to {stored:,} and the journal to "
        f"{max(one.number for one in seen):,}; nothing was changed. To go on from the store, move "
        f"{name} away; to go on from the journal, move {store.name} (and {store.name}.wal) away"
    )
