"""Values on the command line that click has no type for: reading and completing them."""

from typing import Any

import click
from click.shell_completion import CompletionItem

from llmbatch.core import duration


class SpanOfTime(click.ParamType):  # type: ignore[type-arg]  # not generic before click 8.4
    """A span of time, in seconds, in the forms of every other: 20s, 1h30m, 90."""

    name = "time"

    def __init__(self, least: float = 0.0, most: float = 1e9) -> None:
        self._least, self._most = least, most

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        seconds = duration.seconds(str(value))
        if seconds is None:
            self.fail(f"write a span of time: {duration.FORMS} (got {value!r})", param, ctx)
        if not self._least <= seconds <= self._most:
            bounds = f"from {self._least:g} to {self._most:,g} seconds"
            self.fail(f"must be {bounds} (got {value!r})", param, ctx)
        return seconds


def file_names(_ctx: click.Context, _param: click.Parameter, begun: str) -> list[CompletionItem]:
    """Let the shell complete the name of a file."""
    return [CompletionItem(begun, type="file")]
