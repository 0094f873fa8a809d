"""Engines that can draft tokens ahead of their model, which then takes fewer steps."""

from typing import Any, Protocol, runtime_checkable

Drafting = dict[str, list[Any]]


@runtime_checkable
class Speculates(Protocol):
    """An engine that knows ways of drafting. Optional."""

    def drafting(self) -> tuple[Drafting, list[str]]:
        """Values of options with which answers that copy their prompts could take fewer steps, and
        notices about others that cannot be tried here. None of them can change an answer: there are
        none where answers are drawn."""
        ...
