"""The view of a try: each row with the columns that the prompt uses, and its answer or failure."""

import shutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from llmbatch.core import exact_json, units, visible
from llmbatch.pipeline.monitoring.progress import Observer, Progress

if TYPE_CHECKING:
    from llmbatch.pipeline.run.try_session import TryResult

# Columns of a row that are shown, lines of an answer, characters of a column's name.
_MOST_COLUMNS = 12
_MOST_LINES = 12
_LONGEST_NAME = 20
_LEAST_WIDTH = 40


class OnceShown:
    """An observer of tries that shows no phase twice: only what is new is worth a line."""

    def __init__(self, inner: Observer) -> None:
        self._inner = inner
        self._shown: set[str] = set()

    def phase(self, text: str) -> None:
        if text not in self._shown:
            self._shown.add(text)
            self._inner.phase(text)

    def event(self, name: str, **fields: Any) -> None:
        self._inner.event(name, **fields)

    def progress(self, progress: Progress) -> None:
        self._inner.progress(progress)

    def close(self) -> None:
        self._inner.close()


def width() -> int:
    """The columns of the terminal."""
    return max(_LEAST_WIDTH, shutil.get_terminal_size().columns)


def lines(result: "TryResult", columns: int) -> Iterator[str]:
    """A try for a terminal of so many columns."""
    for row in result.rows:
        yield from _row(row, result.columns, columns)
        yield ""
    yield _summary(result)


def _row(row: Mapping[str, Any], used: Sequence[str], columns: int) -> Iterator[str]:
    name = "" if row["id"] == str(row["line"]) else f", id {row['id']}"
    yield f"line {row['line']:,}{name}"
    values = exact_json.parse_record(row["data"])
    shown = [column for column in used if column in values][:_MOST_COLUMNS]
    room = min(_LONGEST_NAME, max(map(len, [*shown, "answer"])))
    for column in shown:
        text = " ".join(visible.line(exact_json.cell(values[column])).split())
        yield _cut(f"  {column[:room]:<{room}}  {text}", columns)
    if len(used) > _MOST_COLUMNS:
        yield f"  and {units.count(len(used) - _MOST_COLUMNS, 'more column')}"
    yield from _said(row, room, columns)


def _said(row: Mapping[str, Any], room: int, columns: int) -> Iterator[str]:
    """The answer of a row, or why there is none."""
    state, answer = row["state"], row["answer"]
    if state == "answered":
        yield from _labelled("answer", answer, room, columns)
        if (agreement := row.get("agreement")) is not None:
            yield f"  {'':<{room}}  given by {units.share(agreement)} of the samples"
    elif state == "pending":
        yield f"  {'answer':<{room}}  not made: the try was stopped"
    else:
        reason = row["message"] or ""
        kind = f" ({row['kind']})" if state == "failed" else ""
        yield from _labelled(state.upper(), f"{reason}{kind}", room, columns)
        if answer:
            yield from _labelled("it said", answer, room, columns)


def _labelled(label: str, text: str, room: int, columns: int) -> Iterator[str]:
    """A text of several lines beside its label."""
    space = max(_LEAST_WIDTH // 2, columns - room - 5)
    found = [
        part
        for line in visible.text(text).splitlines() or [""]
        for part in textwrap.wrap(line, space) or [""]
    ]
    for number, line in enumerate(found[:_MOST_LINES]):
        yield f"  {label if number == 0 else '':<{room}}  {line}"
    if len(found) > _MOST_LINES:
        yield f"  {'':<{room}}  ... {units.count(len(found) - _MOST_LINES, 'more line')}"


def _cut(line: str, columns: int) -> str:
    return line if len(line) < columns else f"{line[: columns - 4]}..."


def _summary(result: "TryResult") -> str:
    counts = result.counts
    named = (("answered", counts.answered), ("failed", counts.failed),
             ("skipped", counts.skipped), ("not made", counts.pending))  # fmt: skip
    states = ", ".join(f"{number:,} {name}" for name, number in named if number) or "none"
    of = f" of {result.matching:,} that --where lets through" * (
        result.matching < result.input_rows
    )
    before = f" ({result.before:,} known before)" if result.before else ""
    start = (
        f", {units.seconds(result.start_seconds)} of it to start the engine"
        if result.start_seconds >= 0.1
        else ""
    )
    rows = units.count(len(result.rows), "row")
    return f"{rows}{of} in {units.seconds(result.seconds)}{start}: {states}{before}"
