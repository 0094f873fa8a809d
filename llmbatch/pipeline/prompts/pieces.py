"""The templates of a job, by the messages that they make."""

from typing import NamedTuple

from llmbatch.core.records import Role
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.prompts import label_listing


class Piece(NamedTuple):
    """One template: the role of its message, its name for people, its source."""

    role: Role
    title: str
    source: str


SYSTEM, PROMPT, PREFILL = "system prompt", "prompt", "prefill"


def of_chat(prompt: str | None, system: str | None) -> tuple[Piece, ...]:
    """The templates of a chat, those that there are."""
    roles: tuple[tuple[Role, str, str | None], ...] = (
        ("system", SYSTEM, system),
        ("user", PROMPT, prompt),
    )
    return tuple(Piece(role, title, text) for role, title, text in roles if text is not None)


def pieces_of(spec: JobSpec) -> tuple[Piece, ...]:
    """The templates of a job, in the order of its messages."""
    if not spec.classify.labels:
        return _pieces(spec, spec.system)
    system = label_listing.system(spec.prompt, spec.system, spec.classify)
    return tuple(
        piece._replace(source=label_listing.filled(piece.source, spec.classify))
        for piece in _pieces(spec, system)
    )


def _pieces(spec: JobSpec, system: str | None) -> tuple[Piece, ...]:
    if spec.is_batch:
        return ()
    if spec.task == "score":
        query, document = spec.score.query or "", spec.score.document or ""
        return Piece("query", "query", query), Piece("document", "document", document)
    if spec.task == "embed" or spec.by_head or spec.raw:
        return (Piece("text", PROMPT, spec.prompt or ""),)
    end = () if spec.prefill is None else (Piece("prefill", PREFILL, spec.prefill),)
    return (*of_chat(spec.prompt, system), *end)
