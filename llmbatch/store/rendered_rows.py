"""Rendered rows: what a plan is made of, and their way into a table."""

from typing import Any, NamedTuple

import pyarrow as pa

from llmbatch.store import arrow_columns, long_texts

_RENDERED = pa.schema(
    [
        ("row", pa.int64()),
        ("key", pa.string()),
        ("kind", pa.string()),
        ("message", pa.string()),
        ("messages", pa.string()),
        ("body", pa.string()),
        ("text_at", pa.int64()),
        ("text_bytes", pa.int64()),
        ("text_characters", pa.int64()),
    ]
)
_SAMPLE = (pa.field("sample", pa.int32()), pa.field("samples", pa.int32()))

Places = dict[str, tuple[int, int]]
"""The places of the long messages that were put into the file, by key, or by a digest of them where
a row has several samples."""


class RenderedRow(NamedTuple):
    """A row's request (`key`, `messages` and `body` as JSON), or why there is none (`kind`,
    `message`). The `message` of a row that has a request says that it holds control tokens.
    `other_keys`: those that it would have with other limits for its answer.

    A row of which several `samples` are asked for has as many of these, one after the other:
    `sample` counts from 0. Each has a key of its own.
    """

    row: int
    key: str | None
    kind: str | None
    message: str | None
    messages: str | None
    body: str | None = None
    other_keys: tuple[str, ...] = ()
    sample: int = 0
    samples: int = 1


def is_sampled(batch: list[RenderedRow]) -> bool:
    """True if several samples of a row are asked for."""
    return any(rendered.samples > 1 for rendered in batch)


def table(batch: list[RenderedRow], long: long_texts.Writer, places: Places) -> pa.Table:
    """The rows as a table; the numbers of samples are left out where no row has several."""
    kept = [_kept(rendered, long, places) for rendered in batch]
    columns = list(zip(*kept, strict=True)) if batch else [()] * len(_RENDERED)
    if not is_sampled(batch):
        return arrow_columns.typed_table(columns, _RENDERED)
    numbers = [[each.sample for each in batch], [each.samples for each in batch]]
    schema = pa.schema([*_RENDERED, *_SAMPLE])
    return arrow_columns.typed_table([*columns, *numbers], schema)


def _kept(rendered: RenderedRow, long: long_texts.Writer, places: Places) -> tuple[Any, ...]:
    """The values of a rendered row in the table; requests that are equal share one long text, and
    so do the samples of a row."""
    text, first = rendered.messages or "", rendered[: len(_RENDERED) - 3]
    if len(text) < long_texts.LONG:
        return *first, None, None, None  # its other keys are in a table of their own
    assert rendered.key is not None, "only requests have messages"
    name = rendered.key if rendered.samples == 1 else long_texts.digest_of(text)
    place = places.get(name)
    if place is None:
        place = places[name] = long.put(text)
    row, key, kind, message, _, body = first
    return row, key, kind, message, long_texts.sort_text(text), body, *place, len(text)
