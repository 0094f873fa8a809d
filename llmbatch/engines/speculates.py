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


@runtime_checkable
class DraftsAhead(Protocol):
    """An engine that knows before its start how it will draft. Optional."""

    def draft_tokens(self) -> int:
        """The most tokens that are drafted for a request in a step; 0 where none are."""
        ...


def draft_tokens_of(engine: object) -> int:
    """The same of any engine; 0 of one that does not say."""
    return engine.draft_tokens() if isinstance(engine, DraftsAhead) else 0
