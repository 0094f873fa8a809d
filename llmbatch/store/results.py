"""The states and results of the rows, read for the outputs and the reports."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from llmbatch.core.errors import InvariantError
from llmbatch.core.records import Reject
from llmbatch.store import snapshots, statements
from llmbatch.store.database import Database
from llmbatch.store.statements import query

_WINDOW = 20_000
# A join of all rows with all answers does not fit into the store's memory when there are millions.
_STEP = 1_000_000


@dataclass(frozen=True, slots=True)
class Counts:
    """Rows in = answered + failed + skipped + rejected once nothing is pending."""

    answered: int = 0
    failed: int = 0
    pending: int = 0
    rejected: int = 0
    skipped: int = 0

    @property
    def rows_in(self) -> int:
        return self.answered + self.failed + self.pending + self.rejected + self.skipped

    @property
    def asked(self) -> int:
        """The rows that are or were to be answered."""
        return self.rows_in - self.skipped


def counts(db: Database) -> Counts:
    """The states of all rows of the current plan."""
    states = {each["state"]: each["rows"] for each in db.recall(query("count_states"))}
    (rejected,) = db.reread("SELECT count(*) AS rejected FROM rejects")
    return Counts(**states, **rejected)


def cut_answers(db: Database) -> int:
    """The answered rows whose answer was cut and is kept all the same."""
    return sum(each["cut"] for each in db.recall(query("count_states")))


def verify(db: Database) -> None:
    """Raise InvariantError unless every record of the input is answered, failed, skipped, pending
    or rejected, once."""
    if off := int(
        db.recall_scalar(statements.load("invariants.sql")["every_record_has_one_state"])
    ):
        raise InvariantError(
            f"rows in is not answered + failed + skipped + rejected: off by {off:,}; no output was "
            "written, see `llmbatch check`"
        )


def in_input_order(db: Database, states: list[str]) -> Iterator[dict[str, Any]]:
    """Rows in the given states, in input order: row, file, line, id, data, the columns of
    `row_states` (`request` in place of the key) and the tokens of the failed attempts before the
    last one. One such iterator at a time."""
    end = int(db.scalar("SELECT coalesce(max(row), 0) FROM rows")) + 1
    step = max(1, _STEP // int(db.scalar(query("most_samples"))))
    for start in range(1, end, step):
        stop = min(start + step, end)
        db.execute(query("collect_results"), {"first": start, "last": stop - 1, "states": states})
        for first, last in snapshots.ranges(db, range(start, stop), _WINDOW):
            for found in db.mappings(query("results_window"), {"first": first, "last": last}):
                yield _whole(db, found)


def answers_in_input_order(db: Database) -> Iterator[list[tuple[str, str]]]:
    """The answered rows in input order as (data, answer), in windows. One such iterator at a
    time."""
    end = int(db.scalar("SELECT coalesce(max(row), 0) FROM rows")) + 1
    for start in range(1, end, _STEP):
        stop = min(start + _STEP, end)
        db.execute(query("collect_answers"), {"first": start, "last": stop - 1})
        for first, last in snapshots.ranges(db, range(start, stop), _WINDOW):
            found = db.execute(query("answers_window"), {"first": first, "last": last})
            yield [(snapshots.whole(db, data, *place), answer) for data, answer, *place in found]


def of_rows(db: Database, rows: Sequence[int]) -> Iterator[dict[str, Any]]:
    """Some rows of the current plan, ascending, as `in_input_order` has them."""
    db.execute(query("collect_results_of_rows"), {"rows": list(rows)})
    for start in range(0, len(rows), _WINDOW):
        window = rows[start : start + _WINDOW]
        bounds = {"first": window[0], "last": window[-1]}
        for found in db.mappings(query("results_window"), bounds):
            yield _whole(db, found)


def _whole(db: Database, found: dict[str, Any]) -> dict[str, Any]:
    """A row with all of its data, also where this is long."""
    place = (found.pop(name) for name in ("snapshot", "text_at", "text_bytes"))
    return found | {"data": snapshots.whole(db, found["data"], *place)}


def lengths(db: Database, runs: list[int]) -> list[tuple[int, int]]:
    """(prompt tokens, output tokens) of some thousands of answers of these runs, newest first."""
    return [(prompt, output) for prompt, output in db.execute(query("lengths"), {"runs": runs})]


def rejects(db: Database) -> Iterator[Reject]:
    """The rejects, in the order of their files and lines."""
    last = (0, 0)
    while window := db.execute(query("rejects_in_order"), [*last, _WINDOW]):
        yield from (Reject(*fields) for fields in window)
        last = (window[-1][3], window[-1][0])


def violations(db: Database) -> dict[str, int]:
    """Every invariant by name, with the number of violations found (0 when it holds)."""
    named = statements.load("invariants.sql")
    return {name: int(db.scalar(statement) or 0) for name, statement in named.items()}


@dataclass(frozen=True, slots=True)
class FailureCount:
    """Failed rows of one kind, and the message of the first of them."""

    kind: str
    rows: int
    example: str | None


def failures(db: Database) -> list[FailureCount]:
    """The kinds of failure, the most frequent first."""
    if not counts(db).failed:
        return []
    return db.recall_values(FailureCount, query("failure_counts"))


@dataclass(frozen=True, slots=True)
class RejectCount:
    """Rejects for one reason, as the first of them has it, and the first of their `places`: numbers
    of lines, with the file's name where the input has several."""

    reason: str
    rows: int
    places: list[str]

    @property
    def where(self) -> str:
        """The places for a person to read."""
        more = self.rows - len(self.places)
        listed = ", ".join(self.places) + (f" and {more:,} more" if more else "")
        return f"line{'s' * (self.rows != 1)} {listed}"


def reject_counts(db: Database, most: int) -> list[RejectCount]:
    """The reasons for which lines were rejected, the most frequent first, `most` at most."""
    if not counts(db).rejected:
        return []
    files = db.scalar(query("snapshot_files"))
    names: list[str] = orjson.loads(files) if files else []

    def place(line: int, file: int) -> str:
        return f"{names[file]}:{line}" if len(names) > 1 else str(line)

    found = db.execute(query("reject_counts"), {"most": most})
    return [
        RejectCount(reason, rows, list(map(place, lines, numbers)))
        for reason, rows, lines, numbers in found
    ]


@dataclass(frozen=True, slots=True)
class SkipCount:
    """Skipped rows that lack the same."""

    reason: str
    rows: int


def skips(db: Database, most: int) -> list[SkipCount]:
    """The reasons for which rows were skipped, the most frequent first, `most` at most."""
    if not counts(db).skipped:
        return []
    return db.recall_values(SkipCount, query("skip_counts"), {"most": most})


@dataclass(frozen=True, slots=True)
class FailedRow:
    """A failed row: its id, line and message."""

    kind: str
    id: str
    line: int
    message: str | None


def failed_rows(db: Database, most: int) -> list[FailedRow]:
    """`most` examples at most of each kind, with different messages as long as there are some."""
    if not counts(db).failed:
        return []
    return db.recall_values(FailedRow, query("failure_examples"), {"most": most})


@dataclass(frozen=True, slots=True)
class SettledRows:
    """Rows that were settled by so many `attempts`; 0: no request could be made of the row."""

    attempts: int
    answered: int
    failed: int


def rows_by_attempts(db: Database) -> list[SettledRows]:
    """The settled rows of the current plan, fewest attempts first."""
    return db.recall_values(SettledRows, query("rows_by_attempts"))


def reasoning_tokens(db: Database) -> int:
    """The output tokens that models thought before their answers, in all attempts."""
    return int(db.recall_scalar(query("reasoning_tokens")))


@dataclass(frozen=True, slots=True)
class LengthCounts:
    """The answers of the current plan, counted by the tokens of their prompts and outputs."""

    prompt: dict[int, int]
    output: dict[int, int]


def length_counts(db: Database) -> LengthCounts:
    """The lengths of the answers' prompts and outputs; a shared answer counts once."""
    counted = LengthCounts({}, {})
    found = db.recall(query("answer_lengths_counted"))
    for prompt, output, answers in (each.values() for each in found):
        if prompt is None:
            counted.output[output] = answers
        else:
            counted.prompt[prompt] = answers
    return counted


@dataclass(frozen=True, slots=True)
class SavedTokens:
    """Tokens that did not have to be computed, since `run` answered the same request."""

    run: int
    prompt_tokens: int
    output_tokens: int


def duplicate_tokens(db: Database) -> dict[int, SavedTokens]:
    """By the run that answered: tokens of answered rows that share the request of another."""
    found = db.recall_values(SavedTokens, query("duplicate_tokens"))
    return {saved.run: saved for saved in found}


def duplicates_answered(db: Database) -> int:
    """The rows that have the answer of another."""
    return int(db.recall_scalar(query("duplicates_answered")))


def reused_tokens(db: Database, run: int) -> dict[int, SavedTokens]:
    """By the run that answered: tokens of the requests that were answered before `run`."""
    first = int(db.scalar(query("first_run_of"), {"run": run}))
    found = db.recall_values(SavedTokens, query("answered_tokens"))
    return {saved.run: saved for saved in found if saved.run < first}
