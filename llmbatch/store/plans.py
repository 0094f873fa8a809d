"""Plans: which request answers which row, and in which order the requests run."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from llmbatch.core import clock
from llmbatch.core.clock import utc
from llmbatch.core.outcomes import Tries
from llmbatch.store import arrow_columns, carrying, long_texts, rendered_rows, shares
from llmbatch.store.database import Database
from llmbatch.store.long_texts import LongText
from llmbatch.store.rendered_rows import Places, RenderedRow
from llmbatch.store.shares import Share
from llmbatch.store.snapshots import PLANNED
from llmbatch.store.statements import query

TEXTS = "plan"
"""The name of the files that hold long messages."""
SKIPPED = "skipped"
"""In place of the kind of a failure: the row lacks what the prompt needs, so it is not asked."""


@dataclass(frozen=True, slots=True)
class Adoption:
    """Answers that are looked for under other keys: those that ended by themselves within `limit`
    tokens, in the store of the plan or in the job's own one (see `own_store`)."""

    limit: int
    in_own_store: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """The plan of the newest snapshot. `adopted`: the rows whose answer was found under another
    key when it was made."""

    plan: int
    snapshot: int
    digest: str
    adopted: int = 0


def current(db: Database) -> Plan | None:
    """The plan of the newest snapshot, or None while it has none."""
    found = db.execute(query("current_plan"))
    return Plan(*found[0]) if found else None


@dataclass(frozen=True, slots=True)
class PlanCounts:
    """The rows of the current plan, those of them that have requests (`asked`), the most `samples`
    of a row, the different `requests`, the rows that share those of another (`duplicates`), and
    those that hold control tokens of the model and are sent (`control`)."""

    rows: int
    asked: int
    samples: int
    requests: int
    duplicates: int
    control: int


def settled_rows(db: Database) -> float:
    """The rows of the current plan whose requests are settled; of one with several samples the
    share that these are."""
    return float(db.scalar(query("settled_rows")))


def counts(db: Database) -> PlanCounts:
    """The size of the current plan."""
    (found,) = db.recall_values(PlanCounts, query("plan_counts"))
    return found


def replace(
    db: Database,
    snapshot: int,
    digest: str,
    batches: Iterable[list[RenderedRow]],
    repetition_key: Callable[[str, int], str] | None,
    adoption: Adoption | None = None,
    *,
    votes: bool = False,
    share: Share | None = None,
    carries: bool = False,
) -> Plan:
    """Make `batches` the current plan, in one transaction. Of a `share` all else is dropped.

    `repetition_key(key, n)` gives the n-th repetition of a request a key of its own, so that it
    is computed by itself; None lets equal requests share one answer. `adoption`: answers that are
    looked for under the rows' other keys. `votes`: the samples of a row vote. `carries`: the rows
    that are carried over from the plan before (see `carrying`) are in it, too.
    """
    plan = int(db.scalar("SELECT coalesce(max(plan), 0) + 1 FROM plans"))
    staged = stage_rendered(db, (TEXTS, plan), batches, repetition_key, adoption, share)
    if carries:
        carrying.insert(db)
    with db.transaction():
        for table in PLANNED:
            db.execute(f"DELETE FROM {table}")
        if share is not None:
            shares.keep(db, share, snapshot)
        db.execute(query("plan_rows"), {"plan": plan})
        requests = "plan_sampled_requests" if staged.is_sampled else "plan_requests"
        db.execute(query(requests), {"plan": plan})
        made = [plan, snapshot, digest, utc(clock.now()), votes]
        db.execute("INSERT INTO plans VALUES (?, ?, ?, ?, ?)", made)
    drop_rendered(db)
    carrying.drop_requests(db)
    long_texts.remove_others(db.texts, TEXTS, plan)
    return Plan(plan, snapshot, digest, staged.adopted)


@dataclass(frozen=True, slots=True)
class Staged:
    """Rendered rows in tables of their own. `adopted`: as in `Plan`."""

    is_sampled: bool
    adopted: int


def stage_rendered(
    db: Database,
    texts: tuple[str, int],
    batches: Iterable[list[RenderedRow]],
    repetition_key: Callable[[str, int], str] | None,
    adoption: Adoption | None,
    share: Share | None = None,
) -> Staged:
    """Bring rendered rows, or a `share` of them, into a table, outside of the transaction that
    takes them from there (see `snapshots.replace`). `texts`: of whose file the long ones are (see
    `long_texts.file_of`)."""
    db.execute(query("stage_rendered"))
    db.execute(query("stage_other_keys"))
    is_sampled = False
    with long_texts.Writer(db.texts, *texts) as long:
        places: Places = {}
        for batch in batches:
            is_sampled = is_sampled or rendered_rows.is_sampled(batch)
            db.insert(query("stage"), rendered_rows.table(batch, long, places))
            if adoption is not None:
                db.insert(query("stage_other"), _other_keys(batch))
    if share is not None:
        shares.choose(db, share)
    adopted = 0 if adoption is None else _adopt(db, adoption)
    if repetition_key is not None:
        _separate_repetitions(db, repetition_key)
    if share is not None:
        shares.drop_others(db)
    return Staged(is_sampled, adopted)


def drop_rendered(db: Database) -> None:
    """Drop the tables of `stage_rendered`."""
    db.execute("DROP TABLE rendered")
    db.execute("DROP TABLE other_keys")
    shares.drop_chosen(db)


def _adopt(db: Database, adoption: Adoption) -> int:
    """Let requests take the key under which they have an answer; returns the number of rows."""
    names = {"settled": "settled", "attempts": "attempts"}
    if adoption.in_own_store:
        names = {"settled": "own_settled", "attempts": "own_store.attempts"}
    statement = query("adopt_keys").format(**names)
    return int(db.scalar(statement, {"limit": adoption.limit}))


def _other_keys(batch: list[RenderedRow]) -> pa.Table:
    found = [(each.row, each.sample, key) for each in batch for key in each.other_keys]
    columns = list(zip(*found, strict=True)) if found else [()] * 3
    schema = pa.schema([("row", pa.int64()), ("sample", pa.int32()), ("key", pa.string())])
    return arrow_columns.typed_table(columns, schema)


def _separate_repetitions(db: Database, repetition_key: Callable[[str, int], str]) -> None:
    repeats = db.arrow(query("staged_repeats")).to_pydict()
    keys = [
        repetition_key(key.replace("-", ""), number)
        for key, number in zip(repeats["key"], repeats["repetition"], strict=True)
    ]
    if keys:
        columns = {name: repeats[name] for name in ("row", "sample")}
        db.insert(query("restage"), arrow_columns.table(columns | {"key": keys}))


@dataclass(frozen=True, slots=True)
class Pending:
    """The requests that are still to be computed: their positions in planned order, and the failed
    tries of those that have some."""

    positions: Sequence[int]
    tries: Mapping[int, Tries]


# A range is read whole if at least one in so many of its requests is wanted.
_DENSE = 8
# The name of a finding: nothing is pending.
_DONE = "done"
NOTHING_PENDING = Pending((), {})


def pending(db: Database) -> Pending:
    """The requests of the current plan that are not settled."""
    if db.noted(_DONE):
        return NOTHING_PENDING
    positions = db.integers(query("pending_positions"))
    if not positions:
        db.note(_DONE, value=True)
    tried = db.execute(query("pending_tries"))
    return Pending(positions, {position: Tries(*counts) for position, *counts in tried})


def pending_size(db: Database) -> tuple[int, float]:
    """The number of characters in the messages of all pending requests, and the rows that these
    answer (see `PlannedRequest.rows`)."""
    characters, rows = db.recall(query("pending_size"))[0].values()
    return int(characters), rows


@dataclass(frozen=True, slots=True)
class PlannedRequest:
    """A request as it is stored: its place, its key, how many rows or samples of rows it answers
    (`copies`), its messages, and what it asks for besides (a JSON object). `sample`: the number of
    the sample; `rows`: the rows that it answers, one of several samples as its share of a row."""

    position: int
    key: str
    copies: int
    text: str | LongText
    body: str | None = None
    sample: int = 0
    rows: float = 1

    @property
    def messages(self) -> str:
        """The messages as JSON; long ones are read only now."""
        return self.text if isinstance(self.text, str) else self.text.read()


def requests(db: Database, first: int, last: int) -> list[PlannedRequest]:
    """The requests of a range of positions, both ends included, in planned order."""
    return _planned(db, db.execute(query("requests_window"), [first, last]))


def _planned(db: Database, found: list[tuple[Any, ...]]) -> list[PlannedRequest]:
    return [
        PlannedRequest(
            position,
            key,
            copies,
            _text(db, text, plan, stage, at, size),
            body,
            sample,
            rows,
        )
        for position, key, copies, text, body, sample, rows, plan, stage, at, size in found
    ]


def _text(
    db: Database, text: str, plan: int, stage: int, at: int | None, size: int
) -> str | LongText:
    if at is None:
        return text
    return LongText(long_texts.file_of(db.texts, texts_of(stage), plan), at, size)


def texts_of(stage: int) -> str:
    """The name of the files that hold the long messages of a stage of a cascade, from 0."""
    return TEXTS if stage == 0 else f"{TEXTS}-stage-{stage}"


def requests_at(db: Database, positions: Sequence[int]) -> list[PlannedRequest]:
    """The requests at these positions, which are in ascending order, in planned order."""
    wanted = set(positions)
    span = positions[-1] - positions[0] + 1
    if span <= _DENSE * len(positions):
        planned_in_range = requests(db, positions[0], positions[-1])
        return [planned for planned in planned_in_range if planned.position in wanted]
    return _planned(db, db.execute(query("requests_at"), {"positions": list(positions)}))


def first_messages(db: Database) -> str | None:
    """The messages (JSON) of the first row that has a request."""
    found = db.execute(query("first_messages"))
    if not found:
        return None
    text = _text(db, *found[0])
    return text if isinstance(text, str) else text.read()


def has_long_texts(db: Database, plan: int) -> bool:
    """True if all long messages of the plan are there, or it has none."""
    size = db.scalar(query("long_texts_of_requests"))
    return long_texts.is_whole(db.texts, TEXTS, plan, size)
