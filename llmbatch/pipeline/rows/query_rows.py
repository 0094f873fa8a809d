"""The rows of an input that is the result of a query, as JSON Lines."""

from dataclasses import dataclass
from pathlib import Path

from llmbatch.core import drafts
from llmbatch.core.errors import UsageError
from llmbatch.formats import arrow_json
from llmbatch.formats.arrow_json import UnreadableValueError
from llmbatch.formats.column_names import own_names
from llmbatch.job.input import QUERY
from llmbatch.store import user_query
from llmbatch.store.query_child import QueryRequest

_TEMPORARY = "query-tmp"


@dataclass(frozen=True, slots=True)
class InputQuery:
    """A query (SQL) over files and databases. `folder`: where its relative paths begin; `state`:
    the job's own folder, which it may not read; `seconds`: its time."""

    text: str
    folder: str
    state: str
    seconds: float

    def write(self, path: Path, id_column: str | None) -> list[str]:
        """Write the rows into a new file, in an order that is the same each time; returns what a
        user should know of them. Raises UsageError for a query that cannot be used."""
        request = QueryRequest(
            self.text,
            self.folder,
            (self.state,),
            id_column,
            user_query.MEMORY,
            str(path.with_name(_TEMPORARY).absolute()),
            max(1, round(self.seconds)),
        )
        with user_query.rows(request) as reader, drafts.create(path) as stream:
            names, notes = own_names(reader.schema.names)
            for field, name in zip(reader.schema, names, strict=True):
                if arrow_json.holds_bytes(field.type):
                    notes.append(f"column {name!r} holds bytes: read as base64")
            try:
                for batch in reader:
                    for text in arrow_json.records(batch, names):
                        stream.write(text.encode() + b"\n")
            except UnreadableValueError as error:
                raise UsageError(f"{QUERY}: {error}") from error
            return [*user_query.notes(reader), *notes]
