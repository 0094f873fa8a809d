"""How a store and the journal beside it stand to each other: one history, or two.

Both count their transactions, and both keep the link of each (see `frames`). Where a number is in
both, its links must be the same; then all that came before is the same, too.
"""

from dataclasses import dataclass
from pathlib import Path

from llmbatch.store import frames, journal
from llmbatch.store.database import Database
from llmbatch.store.frames import Extent, Link
from llmbatch.store.journal import DamagedError, ForeignError


@dataclass(frozen=True, slots=True)
class Agreement:
    """What makes the two agree. `stored` is the newest transaction of the store, `newest` that of
    either; `missing` are in the journal only; `torn` bytes of the journal are no whole frame.

    `is_rewritten`: the journal lacks what the store holds. `is_kept`: what it lacks was once
    there, so it is kept as it is.
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
        """What is wrong with the journal at `path`, if anything but an unfinished end."""
        if not self.is_rewritten:
            return ""
        what = "is damaged" if self.is_kept else "lacks what the store holds"
        return f"{path} {what}; the next run writes it anew from the store"


def compare(
    db: Database, store: Path, descriptor: int, extent: Extent, *, held: int, worked: bool
) -> Agreement:
    """How the store stands to its journal, which is open and has this extent. `held`: the newest
    transaction of the store; `worked`: it holds something that belongs into a journal.

    Raises DamagedError when the two cannot be made to agree without a loss, ForeignError when
    they are of two histories.
    """
    is_known = check_links(db, store, descriptor, held)
    if is_older(extent, held, worked=worked):
        raise _older(store)
    missing = _missing(descriptor, extent, held)
    if missing < 0:
        raise _lost(store)
    # Frames that the store has counted and the journal lacks were forgotten if the store holds
    # nothing: what is left of a journal from before must go, too.
    lacks = (worked and held == 0) or (extent.newest < held and (worked or extent.last > 0))
    is_rewritten = lacks or extent.beyond > 0 or (extent.torn > 0 and extent.last < held)
    is_damaged = extent.torn > 0 and not 0 < held == extent.last
    return Agreement(
        held,
        max(held, extent.newest),
        missing,
        extent.torn,
        is_rewritten,
        is_damaged or (is_rewritten and extent.last > 0 and not is_known),
    )


def is_older(extent: Extent, held: int, *, worked: bool) -> bool:
    """Whether the store is from before the journal begins, so that it cannot be continued."""
    return worked and extent.last > 0 and (held == 0 or held + 1 < extent.first)


def link(db: Database, number: int) -> Link:
    """The link of a transaction of the store; None if it has none."""
    found: Link = db.scalar("SELECT link FROM commits WHERE number = ?", [number])
    return found


def check_links(
    db: Database, store: Path, descriptor: int, held: int, commits: str = "commits"
) -> bool:
    """Whether store and journal are known to be of one history; raises if known not to be.

    `commits`: the table that has the store's own count."""
    common = first = None
    for frame in frames.whole(descriptor, verified=False):
        first = first or frame
        if frame.number <= held and (common is None or frame.number > common.number):
            common = frame
    if common is not None:
        counted = db.execute(f"SELECT link FROM {commits} WHERE number = ?", [common.number])
        if counted and counted[0][0] != common.link:
            raise _foreign(db, store, descriptor, held, commits)
        return bool(counted) and common.link is not None
    if first is not None and held and first.number == held + 1:
        # The journal begins just where the store ends.
        ((own,),) = db.execute(f"SELECT link FROM {commits} WHERE number = ?", [held])
        if own is not None and first.former not in (None, own):
            raise _foreign(db, store, descriptor, held, commits)
    return False


def _missing(descriptor: int, extent: Extent, held: int) -> int:
    """How many transactions the store lacks; -1 if the journal does not have all of them."""
    if extent.newest <= held:
        return 0
    if not extent.beyond:
        return extent.last - max(held, extent.first - 1)
    reached = held or max(0, extent.first - 1)
    count = 0
    for frame in frames.whole(descriptor):
        if frame.number == reached + 1:
            reached, count = frame.number, count + 1
    return count if reached == extent.newest else -1


def _older(store: Path) -> DamagedError:
    folder = store.parent
    return DamagedError(
        f"{folder}: the store is older than its journal; to put it aside and make a new one of "
        f"the journal: llmbatch repair {folder}"
    )


def _lost(store: Path) -> DamagedError:
    path = journal.path_for(store)
    return DamagedError(
        f"{path}: the journal is damaged in the middle, and the store does not hold all of it; "
        f"to save what is whole in both: llmbatch repair {store.parent}"
    )


def _foreign(db: Database, store: Path, descriptor: int, held: int, commits: str) -> ForeignError:
    own = dict(db.execute(f"SELECT number, link FROM {commits}"))
    seen = list(frames.whole(descriptor, verified=False))
    shared = [one.number for one in seen if one.link and own.get(one.number) == one.link]
    parted = f"they part after transaction {max(shared):,}" if shared else "they share nothing"
    name = journal.path_for(store).name
    return ForeignError(
        f"{store.parent}: the store and the journal beside it are of different histories: "
        f"{parted}, the store goes on to {held:,} and the journal to "
        f"{max(one.number for one in seen):,}; nothing was changed. To go on from the store, move "
        f"{name} away; to go on from the journal, move {store.name} (and {store.name}.wal) away"
    )
