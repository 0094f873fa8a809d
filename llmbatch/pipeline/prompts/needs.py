"""The needs of a prompt: those things that a row must hold to be asked."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from llmbatch.core.errors import UsageError, nearest
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.prompts.values import says_something


class EmptyRowError(Exception):
    """A row without what the prompt needs, which is not asked; the message says what it lacks."""


@dataclass(frozen=True, slots=True)
class Needs:
    """`columns`: those that must hold something, or keys in them (`meta.team`); `placeholders`: at
    least one placeholder must write something; `messages`: the one of the columns that holds a
    row's own messages."""

    columns: tuple[str, ...] = ()
    placeholders: bool = True
    messages: str | None = None

    @classmethod
    def of(cls, spec: JobSpec) -> Self:
        """The needs of a job's rows."""
        given = () if spec.messages is None else (spec.messages,)
        return cls((*given, *spec.require), not (given or spec.ask_empty), spec.messages)

    @property
    def settings(self) -> list[Any]:
        """JSON that makes these needs again elsewhere."""
        return [list(self.columns), self.placeholders]

    @classmethod
    def from_settings(cls, settings: list[Any]) -> Self:
        """The needs that have these settings."""
        columns, placeholders = settings
        return cls(tuple(columns), placeholders)

    def check(self, row: Mapping[str, Any]) -> None:
        """Raise EmptyRowError for a row in which a column that must hold something does not."""
        if empty := [name for name in self.columns if not says_something(_value(row, name))]:
            are = "columns {} are empty" if len(empty) > 1 else "column {} is empty"
            raise EmptyRowError(are.format(", ".join(empty)))

    def check_columns(self, columns: Iterable[str], source: str) -> None:
        """Raise UsageError if a column that must hold something is one that no row has."""
        known = list(columns)
        for name in self.columns:
            if name not in known and name.partition(".")[0] not in known:
                flag = "--messages" if name == self.messages else "--require"
                raise UsageError(
                    f"{flag} {name}: no such column in {source}{nearest(name, known)}; columns: "
                    f"{', '.join(known[:20]) or 'none'}"
                )


NO_NEEDS = Needs()


def _value(row: Mapping[str, Any], name: str) -> Any:
    """The value of a column, or of a key below one; None where there is none."""
    if name in row:
        return row[name]
    value: Any = row
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
