"""Arrow columns of dates and times as JSON text, in ISO 8601."""

from typing import Any

import pyarrow as pa

NULL = "null"
Texts = list[str]


def compute() -> Any:
    """PyArrow's functions of columns: imported where one is needed, since they are 12 MiB."""
    import pyarrow.compute

    return pyarrow.compute


def dates(column: pa.Array) -> Texts:
    """Days: `2024-01-31`."""
    return _quoted(column.cast(pa.date32()).cast(pa.string()))


def times(column: pa.Array) -> Texts:
    """Times of a day: `12:30:00.5`."""
    return _quoted(_short(column.cast(pa.string())))


def timestamps(column: pa.Array) -> Texts:
    """Moments, with the offset of their time zone: `2024-01-31T12:30:00+01:00`."""
    zone = column.type.tz
    if zone is None:
        return _quoted(_iso(column))
    utc = column.cast(pa.timestamp(column.type.unit))
    if zone.upper() in _UTC:
        return _quoted(compute().binary_join_element_wise(_iso(utc), "Z", ""))
    try:
        local = compute().local_timestamp(column)
    except pa.ArrowInvalid:  # a zone that is not known here: the instant is told all the same
        return _quoted(compute().binary_join_element_wise(_iso(utc), "Z", ""))
    seconds = compute().subtract(*(_seconds(side) for side in (local, utc))).to_pylist()
    return [
        NULL if text is None else f'"{text}{_offset(away)}"'
        for text, away in zip(_iso(local).to_pylist(), seconds, strict=True)
    ]


_UTC = frozenset({"UTC", "ETC/UTC", "Z", "+00:00", "ZULU", "ETC/ZULU"})


def _iso(column: pa.Array) -> pa.Array:
    return _short(
        compute().replace_substring(column.cast(pa.string()), " ", "T", max_replacements=1)
    )


def _short(text: pa.Array) -> pa.Array:
    """Without the zeros at the end of a fraction of a second."""
    return compute().replace_substring_regex(text, r"(\.\d*[1-9])0+$|\.0+$", r"\1")


def _seconds(column: pa.Array) -> pa.Array:
    return column.cast(pa.timestamp("s"), safe=False).cast(pa.int64())


def _offset(seconds: int) -> str:
    sign, size = ("-" if seconds < 0 else "+"), abs(seconds)
    rest = f":{size % 60:02}" if size % 60 else ""
    return f"{sign}{size // 3600:02}:{size // 60 % 60:02}{rest}"


def durations(column: pa.Array) -> Texts:
    """Lengths of time: `PT90.5S`."""
    digits = {"s": 0, "ms": 3, "us": 6, "ns": 9}[column.type.unit]
    values = column.cast(pa.int64()).to_pylist()
    return [NULL if value is None else f'"PT{_scaled(value, digits)}S"' for value in values]


def intervals(column: pa.Array) -> Texts:
    """Months, days and seconds: `P14M3DT0.5S`."""
    return [
        NULL if value is None
        else f'"P{value.months}M{value.days}DT{_scaled(value.nanoseconds, 9)}S"'
        for value in column.to_pylist()
    ]  # fmt: skip


def _scaled(value: int, digits: int) -> str:
    """An integer as seconds, with a fraction of at most so many digits."""
    whole, part = divmod(abs(value), 10**digits)
    fraction = f"{part:0{digits}}".rstrip("0") if part else ""
    return f"{'-' if value < 0 else ''}{whole}{fraction and '.' + fraction}"


def _quoted(column: pa.Array) -> Texts:
    return [NULL if value is None else f'"{value}"' for value in column.to_pylist()]
