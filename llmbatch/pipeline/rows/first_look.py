"""A look at the first rows of an input: its columns, what is in them, and what they may be for."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from llmbatch.core import exact_json
from llmbatch.core.errors import UsageError
from llmbatch.core.records import Reject
from llmbatch.job.input import STDIN, InputSpec
from llmbatch.pipeline.rows import input_parts
from llmbatch.pipeline.rows.input_file import InputFile
from llmbatch.pipeline.rows.parts_reader import PartsReader

ROWS = 1_000
"""So many rows are looked at."""
_EXAMPLES = 3
_MOST_TEXTS = 3
# Characters of a value from which on it is a text to be read, on the mean, if it has several words.
_TEXT = 20
# Values of a column that stand for its kinds: at most so many different ones, each seen often.
_MOST_KINDS = 12
_ID_NAME = re.compile(r"(?i)(^|[_\W])(id|key|uuid|guid|no|nr|number)$|[a-z]I[dD]$")


@dataclass(slots=True)
class ColumnLook:
    """A column: `filled` of the rows have a value; `examples`: the first different ones;
    `characters` of all together; `words`: values with a blank in them."""

    name: str
    filled: int = 0
    values: set[str] = field(default_factory=set)
    examples: list[str] = field(default_factory=list)
    characters: int = 0
    words: int = 0

    def add(self, value: Any) -> None:
        """Count a value; one that is missing or blank is none."""
        text = "" if value is None else exact_json.cell(value)
        if not text.strip():
            return
        if text not in self.values and len(self.examples) < _EXAMPLES:
            self.examples.append(text)
        self.values.add(text)
        self.filled += 1
        self.characters += len(text)
        self.words += any(character.isspace() for character in text.strip())

    @property
    def length(self) -> float:
        """Characters of a value, on the mean."""
        return self.characters / self.filled if self.filled else 0.0

    @property
    def is_text(self) -> bool:
        """True if it looks like something to be read."""
        return self.length >= _TEXT and self.words > self.filled / 2

    @property
    def kinds(self) -> list[str]:
        """Its values, if they are few and come again and again."""
        few = 2 <= len(self.values) <= min(_MOST_KINDS, self.filled // 3)
        return sorted(self.values) if few else []


@dataclass(frozen=True, slots=True)
class FirstLook:
    """The first `rows` of an input of one format; `notes`: the findings on how it is written."""

    format_name: str
    rows: int
    rejected: int
    columns: Sequence[ColumnLook]
    notes: Sequence[str]

    @property
    def id_column(self) -> str | None:
        """The column that names each row, by its name and its values; None if none does."""
        for column in self.columns:
            is_unique = len(column.values) == column.filled == self.rows > 0
            if is_unique and _ID_NAME.search(column.name):
                return column.name
        return None

    @property
    def text_columns(self) -> list[str]:
        """The columns to be read, in the input's order; all but the id where none looks so."""
        texts = sorted((each for each in self.columns if each.is_text), key=lambda it: -it.length)
        chosen = {column.name for column in texts[:_MOST_TEXTS]}
        if not chosen:
            chosen = {column.name for column in self.columns if column.filled} - {self.id_column}
        return [column.name for column in self.columns if column.name in chosen]


def look(name: str) -> FirstLook:
    """Look at an input: a file, a folder or a pattern. Raises UsageError if it cannot be read."""
    if name == STDIN:
        raise UsageError("a look at standard input would use it up: give the name of a file")
    given = InputSpec(files=(name,))
    source = InputFile(given.name, given.files, None, None, given.reading)
    parts = input_parts.find(source)
    reader = PartsReader(source, parts.files)
    columns: dict[str, ColumnLook] = {}
    rows = rejected = 0
    for item in islice(reader.rows(), ROWS):
        if isinstance(item, Reject):
            rejected += 1
            continue
        rows += 1
        for key, value in exact_json.parse_record(item.record.data).items():
            columns.setdefault(key, ColumnLook(key)).add(value)
    if not rows:
        raise UsageError(f"{name}: has no rows to look at")
    notes = [*parts.notes, *reader.notes]
    return FirstLook(parts.files[0].format_name, rows, rejected, [*columns.values()], notes)
