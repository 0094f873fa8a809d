"""A condition in SQL that a user gives, over rows that are no part of a store.

It runs on a connection of its own, which has no file, opens none, reaches no network and loads no
extension, so whatever the text says it changes nothing.
"""

import duckdb
import pyarrow as pa

from llmbatch.core.errors import UsageError
from llmbatch.store import faults

_SETTINGS = (
    "SET enable_external_access = false; SET autoinstall_known_extensions = false;"
    "SET autoload_known_extensions = false; SET python_enable_replacements = false;"
    "SET memory_limit = '500MB'; SET threads = 1; SET lock_configuration = true;"
)
_MATCHING = "SELECT {position} FROM candidates WHERE (\n{where}\n) ORDER BY {position}"


class RowFilter:
    """The condition `where` over tables with the columns of `shape`. Raises UsageError, here or
    for the first row that shows it, for a condition that cannot be computed."""

    def __init__(self, where: str, shape: pa.Table) -> None:
        self._where = where
        self._connection = duckdb.connect(":memory:")
        self._connection.execute(_SETTINGS)
        # A column of the rows may have any name, so that of the position must be a free one.
        self._position = "position"
        while self._position in map(str.casefold, shape.column_names):
            self._position += "_"
        self.matching(shape)

    def matching(self, rows: pa.Table) -> list[int]:
        """The indexes of the rows that keep the condition, ascending."""
        numbered = rows.append_column(self._position, pa.array(range(len(rows)), pa.int64()))
        statement = _MATCHING.format(where=self._where, position=self._position)
        try:
            if len(self._connection.extract_statements(statement)) != 1:
                raise UsageError("where: give one condition, without a semicolon")
            self._connection.register("candidates", numbered)
            try:
                found = self._connection.execute(statement).fetchall()
            finally:
                self._connection.unregister("candidates")
        except duckdb.Error as error:
            raise UsageError(f"where: {faults.line(error)[:500]}") from error
        return [index for (index,) in found]
