"""Rows of an error file, corrected and fed back in."""

from dataclasses import replace

from llmbatch.core import exact_json
from llmbatch.core.records import Record

COLUMN = "error"
_FIELDS = {"kind", "message", "attempts"}


class ErrorRows:
    """Takes the `error` off that a former run gave a row; a column of the user's own stays.

    It must not be part of the prompt (`{{ record }}`), or the corrected row would be another one.
    """

    def __init__(self) -> None:
        self._taken = 0
        self._left = 0

    def __call__(self, record: Record) -> Record:
        """The record as it was before it failed."""
        if f'"{COLUMN}"' not in record.data or COLUMN not in exact_json.columns_of(record.data):
            return record
        parsed = exact_json.parse_record(record.data)
        error = parsed[COLUMN]
        if not isinstance(error, dict) or not error.keys() >= _FIELDS:
            self._left += 1
            return record
        self._taken += 1
        del parsed[COLUMN]
        return replace(record, data=exact_json.dump_record(parsed))

    def columns(self, names: list[str]) -> list[str]:
        """The columns that are left, once all records have been seen."""
        gone = self._taken and not self._left
        return [name for name in names if not (gone and name == COLUMN)]
