"""The first lines of a CSV file, read as one dialect has them."""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

# The share of records of the same width that makes a table.
ALIKE = 0.9


@dataclass(frozen=True, slots=True)
class Dialect:
    """The way in which records are written: `quote` and `escape` are "" where there is none;
    `skip`: physical lines above the header; `blanks`: blanks after separators are left out;
    `numbered`: records begin with their number, for which the header has no name; `trailing`:
    records end with a separator that the header does not have."""

    delimiter: str
    quote: str = '"'
    escape: str = ""
    skip: int = 0
    blanks: bool = False
    numbered: bool = False
    trailing: bool = False

    def parser_settings(self) -> dict[str, Any]:
        """The arguments of `csv.reader`."""
        return {
            "delimiter": self.delimiter,
            "quotechar": self.quote or None,
            "quoting": csv.QUOTE_MINIMAL if self.quote else csv.QUOTE_NONE,
            "escapechar": self.escape or None,
            "skipinitialspace": self.blanks,
            "strict": True,
        }

    def prepared(self, line: str) -> str:
        """A line for the parser, which else takes a backslash off any character after it, not only
        off those that need one."""
        if not self.escape or self.escape not in line:
            return line
        special = re.escape(self.delimiter + self.quote + self.escape)
        mark = re.escape(self.escape)
        return re.sub(
            f"{mark}([{special}])|{mark}",
            lambda found: found[0] if found[1] else self.escape * 2,
            line,
        )


@dataclass(frozen=True, slots=True)
class Trial:
    """The first lines as a dialect reads them: the width of the header, that of most records, the
    share of the records that are as wide as the header, and records in all."""

    dialect: Dialect
    rows: list[list[str]]
    starts: list[int]
    faults: int

    @property
    def header(self) -> int:
        return width_of(self.rows[0]) if self.rows else 0

    @property
    def usual(self) -> int:
        """The width of most records."""
        counted = Counter(map(width_of, self.rows[1:] or self.rows))
        return counted.most_common(1)[0][0] if counted else 0

    @property
    def share(self) -> float:
        """The share of the records that are as wide as the header."""
        bodies = self.rows[1:]
        if not bodies:
            return float(not self.faults)
        width = len(self.rows[0])
        alike = sum(
            len(row) in (width, self.header) or (len(row) == width + 1 and not row[-1])
            for row in bodies
        )
        return alike / (len(bodies) + self.faults)

    @property
    def is_trailing(self) -> bool:
        """True if each record ends with a separator that the header does not have."""
        width = len(self.rows[0]) + 1 if self.rows else 0
        bodies = self.rows[1:]
        return bool(bodies) and all(len(row) == width and not row[-1] for row in bodies)

    @property
    def is_numbered(self) -> bool:
        """True if each record has one field more than the header, in front: 1, 2, 3 ..."""
        bodies = self.rows[1:]
        if len(bodies) < 2 or {len(row) for row in bodies} != {len(self.rows[0]) + 1}:
            return False
        first = 0 if bodies[0][0] == "0" else 1
        return all(row[0] == str(number) for number, row in enumerate(bodies, first))

    @property
    def is_alike(self) -> bool:
        return self.header > 1 and self.share >= ALIKE


def width_of(row: Sequence[str]) -> int:
    """The fields of a row without the empty ones at its end."""
    width = len(row)
    while width > 1 and not row[width - 1].strip():
        width -= 1
    return width


def read(lines: list[str], dialect: Dialect) -> Trial:
    """The first lines, read; what cannot be read is counted."""
    rows, starts = list[list[str]](), list[int]()
    feed = iter(lines[dialect.skip :])
    faults = 0
    parser = csv.reader(map(dialect.prepared, feed), **dialect.parser_settings())
    while True:
        start = dialect.skip + parser.line_num
        try:
            row = next(parser)
        except StopIteration:
            break
        except csv.Error:
            faults += 1
            continue
        if row:
            rows.append(row)
            starts.append(start)
    return Trial(dialect, rows, starts, faults)
