"""The patterns of a JSON Schema: those of `pattern`, and the names of `patternProperties`."""

from typing import Any

from llmbatch.constraints.patterns import translate
from llmbatch.constraints.patterns.errors import PatternError
from llmbatch.constraints.schema_walk import Path, place, subschemas
from llmbatch.core.errors import UsageError


class Source(str):
    """A pattern as the check searches for it, which messages show as the user wrote it."""

    __slots__ = ("written",)
    written: str

    def __repr__(self) -> str:
        return repr(self.written)


def put_sources(schema: Any) -> None:
    """Put a `Source` in the place of every pattern of a schema, which validators then search for.
    Raises UsageError with the place of a pattern that is no good."""
    for one in list(subschemas(schema)):
        if not isinstance(one.schema, dict):
            continue
        if isinstance(written := one.schema.get("pattern"), str):
            one.schema["pattern"] = _source(written, (*one.path, "pattern"))
        if isinstance(named := one.schema.get("patternProperties"), dict):
            path = (*one.path, "patternProperties")
            one.schema["patternProperties"] = {
                _source(written, (*path, written), number): below
                for number, (written, below) in enumerate(named.items())
            }


def _source(written: str, path: Path, number: int = 0) -> Source:
    """The source of a pattern; a number keeps apart names that mean the same."""
    if isinstance(written, Source):
        return written
    try:
        check = translate.search(written).check
    except PatternError as error:
        raise UsageError(f"schema: {place(path)}: {error}") from error
    source = Source(rf"\A(?:{check})\Z" + (f"(?#{number})" if number else ""))
    source.written = written
    return source
