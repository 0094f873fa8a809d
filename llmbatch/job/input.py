"""The table [input]: the files that a job reads, and how they are read."""

import codecs
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import PrivateAttr, field_validator, model_validator

from llmbatch.formats.base import ReadOptions
from llmbatch.job import stop_rules
from llmbatch.job.fields import Seconds, Section, neutral

STDIN = "-"
"""The name of standard input."""
QUERY = "query"
"""The name of an input that is the result of a query."""

_TAB_NAMES = ("tab", "\\t")
_NONE = "none"


class InputSpec(Section):
    """The files that a job reads, and how they are read. What is not given is found out."""

    files: tuple[str, ...] = neutral(
        (), "Files, folders, patterns (data/*.csv); packed or not; - is standard input."
    )
    sql: str | None = neutral(
        None,
        "In place of files: a DuckDB query over files and attached databases, which only reads; "
        "ATTACH 'file' AS name; may stand before its SELECT.",
        min_length=1,
    )
    sql_timeout: Seconds = neutral(600.0, "End a query that takes longer.", ge=1, le=1e6)
    where: str | None = neutral(
        None,
        "Take only the rows that keep this condition over the input's columns, as in DuckDB: "
        "lang = 'de'.",
        min_length=1,
    )
    limit: int | None = neutral(
        None, "Take only the first so many of the rows.", by_default="all", ge=1, lt=2**63
    )
    offset: int = neutral(0, "Leave out the first so many of the rows.", ge=0, lt=2**63)
    format: Literal["csv", "tsv", "jsonl", "parquet", "xlsx", "openai-batch"] | None = neutral(
        None,
        "Format of the input, if its name does not say; needed for standard input. A batch file of "
        "OpenAI's shape (openai-batch) is recognised by its first line where no prompt is given.",
    )
    delimiter: str | None = neutral(
        None,
        "Separator of a CSV file's fields: one character, tab, or none for one column.",
        by_default="found out",
    )
    quote: str | None = neutral(
        None, "Quote of a CSV file's fields: one character, or none.", by_default='"'
    )
    escape: str | None = neutral(
        None,
        "Character before a quote within quotes, such as \\, or none: quotes are doubled.",
        by_default="none",
    )
    encoding: str | None = neutral(
        None, "Encoding of the input: utf-8, cp1252, utf-16, ...", by_default="found out"
    )
    skip_lines: int | None = neutral(
        None, "Lines above the header that are left out.", by_default="none", ge=0, lt=2**31
    )
    header: bool = neutral(
        True, "Take the names of a CSV file's columns from its first line, or call them column_1..."
    )
    null: tuple[str, ...] = neutral((), "Text that stands for a missing value, such as NA.")
    json_path: str | None = neutral(
        None,
        "Keys to the array of records in a JSON document: data, or result.items.",
        min_length=1,
    )
    nan: Literal["reject", "null"] = neutral(
        "reject",
        "NaN and infinite numbers of JSON and Parquet: reject the row, or read null.",
    )
    sheet: str | None = neutral(
        None, "Sheet of a workbook (.xlsx).", by_default="the first", min_length=1
    )
    min_rows: int | None = neutral(
        None,
        "Exit 2 with fewer rows in the input, and leave the output as it is.",
        by_default="1 once the job had rows",
        ge=0,
        lt=2**63,
    )
    max_shrink: str | None = neutral(
        None,
        "Exit 2 if the input lost more than this share of its rows since the last run: 20%.",
    )
    max_drift: Literal["none", "moderate"] | None = neutral(
        None,
        "Exit 2 if the input differs more from those of the runs before: at all that would be told "
        "(none), or largely (moderate: moderate changes pass).",
        by_default="it is told, and runs",
    )
    drift_window: int = neutral(
        14,
        "Compare the input with so many of those that runs had before; 0: with none.",
        ge=0,
        le=1000,
    )

    _folder: str = PrivateAttr(default=".")

    @property
    def folder(self) -> str:
        """The folder in which relative paths of the query begin."""
        return self._folder

    def with_folder(self, folder: str) -> Self:
        """The same input, whose query has its relative paths there."""
        self._folder = folder
        return self

    @property
    def is_part(self) -> bool:
        """True if only some of the rows are to be taken."""
        return self.where is not None or self.limit is not None or self.offset > 0

    @property
    def part(self) -> str:
        """The flags that choose some of the rows."""
        given = (("--where", self.where), ("--offset", self.offset), ("--limit", self.limit))
        return " ".join(f"{flag} {value}" for flag, value in given if value)

    @property
    def name(self) -> str:
        """The input in messages and reports: its file, or the first of several."""
        if self.sql is not None:
            return QUERY
        others = len(self.files) - 1
        if others < 1:
            return self.files[0]
        return f"{self.files[0]} and {others} other file{'s' * (others > 1)}"

    @property
    def reading(self) -> ReadOptions:
        """The reading of each file."""
        return ReadOptions(
            delimiter=self.delimiter,
            quote=self.quote,
            escape=self.escape,
            encoding=self.encoding,
            skip_lines=self.skip_lines,
            header=self.header,
            null=self.null,
            json_path=self.json_path,
            sheet=self.sheet,
            nan=None if self.nan == "reject" else self.nan,
        )

    @model_validator(mode="before")
    @classmethod
    def _table(cls, value: Any) -> Any:
        return {"files": value} if isinstance(value, str | list | tuple) else value

    @field_validator("files", "null", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @field_validator("files")
    @classmethod
    def _names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(value):
            raise ValueError("the name of a file is empty")
        return value

    @field_validator("delimiter")
    @classmethod
    def _separator(cls, value: str | None) -> str | None:
        value = "\t" if value in _TAB_NAMES else value
        return value if value == _NONE else _character(value, "write one character, tab or none")

    @field_validator("quote", "escape")
    @classmethod
    def _mark(cls, value: str | None) -> str | None:
        return value if value == _NONE else _character(value, "write one character, or none")

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            if not isinstance("".encode(value), bytes):
                raise LookupError
            return codecs.lookup(value).name
        except (LookupError, ValueError):
            raise ValueError("no such encoding; usual ones: utf-8, cp1252, utf-16") from None

    @field_validator("max_shrink")
    @classmethod
    def _share(cls, value: str | None) -> str | None:
        if value is not None:
            stop_rules.share(value)
        return value

    @model_validator(mode="after")
    def _named(self) -> Self:
        if self.files and self.sql:
            raise ValueError("names files and a query (sql): give one of them")
        if not self.files and not self.sql:
            raise ValueError("no file is named; give one as INPUT, or as `files` of [input]")
        return self


def with_input_table(table: Mapping[str, Any]) -> dict[str, Any]:
    """A job's table with `[input]` as a table, where it is a name or a list of names, and with
    `input_format`, the former key, in it."""
    made = dict(table)
    given = made.get("input")
    if isinstance(given, str | list | tuple):
        given = {"files": [given] if isinstance(given, str) else list(given)}
        made["input"] = given
    if "input_format" in made and isinstance(given, dict | None):
        former = made.pop("input_format")
        if former is not None:
            made["input"] = {"format": former} | (given or {})
    return made


def _character(value: str | None, advice: str) -> str | None:
    if value is not None and (len(value) != 1 or value in "\r\n\0"):
        raise ValueError(advice)
    return value
