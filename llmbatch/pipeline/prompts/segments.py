"""The parts of a job's templates whose order could be another one."""

from collections.abc import Iterator
from dataclasses import dataclass

import jinja2
from jinja2 import nodes

from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.prompts import sandbox
from llmbatch.pipeline.prompts.environment import TemplateEnvironment
from llmbatch.pipeline.prompts.template import fill

# Fixed text of up to so many characters is a label of what follows it.
_LABEL = 40
_SHOWN = 30
# Statements that other parts depend on: with one of them no part can be moved.
_BOUND = (
    nodes.Assign,
    nodes.AssignBlock,
    nodes.Block,
    nodes.CallBlock,
    nodes.ExprStmt,
    nodes.Extends,
    nodes.FromImport,
    nodes.Import,
    nodes.Include,
    nodes.Macro,
)
_CLOSING = "end"
_OPENING = {"autoescape", "filter", "for", "if", "with"}


@dataclass(frozen=True, slots=True)
class Segment:
    """A placeholder, loop or condition with the label before it, or a longer piece of fixed text.

    `name` is for people; `role` is the message that it is part of now; `last`: it ends the
    prompt in every order of the others.
    """

    name: str
    role: str
    last: bool
    template: jinja2.Template

    def render(self, context: dict[str, object]) -> str:
        """Its text for one row. Raises TemplateError."""
        return fill("prompt", self.template, context)


def segments(spec: JobSpec) -> list[Segment] | None:
    """The segments of the system prompt and the prompt; None if they depend on each other, may
    take more than the row says, or are not all of a row's messages."""
    if not spec.needs_prompt or spec.task == "classify":
        return None
    environment = TemplateEnvironment()
    environment.keep_trailing_newline = True
    made: list[Segment] = []
    for role, written in (("system", spec.system), ("user", spec.prompt)):
        source = (written or "").removesuffix("\n")
        tree = environment.parse(source)
        if next(tree.find_all(_BOUND), None) is not None or "{% raw" in source:
            return None
        if sandbox.bound(tree, source) is None:
            return None  # the time to render it is unknown
        pieces = list(_pieces(environment, source))
        for name, text, last in _labelled(pieces):
            shown = f"{name} of the system prompt" if role == "system" else name
            template = environment.from_string(text)
            made.append(Segment(shown, role, last and role == "user", template))
    return made


def _pieces(environment: jinja2.Environment, source: str) -> Iterator[tuple[bool, str]]:
    """The source in pieces: (whether it is fixed text, the piece)."""
    piece, depth = "", 0
    inside, opened = False, False
    for _, kind, value in environment.lex(source):
        if kind.startswith("comment"):
            continue
        if kind == "data" and not depth and not inside:
            yield True, value
            continue
        piece += value
        if kind in ("variable_begin", "block_begin"):
            inside, opened = True, kind == "block_begin"
        elif kind == "name" and opened:
            depth += (value in _OPENING) - value.startswith(_CLOSING)
            opened = False
        elif kind in ("variable_end", "block_end"):
            inside = False
            if not depth:
                yield False, piece
                piece = ""


def _labelled(pieces: list[tuple[bool, str]]) -> Iterator[tuple[str, str, bool]]:
    """(name, source, whether it is the end) of each segment."""
    label, is_first = "", True
    for index, (is_fixed, text) in enumerate(_joined(pieces)):
        if not is_fixed:
            yield _placeholder(text), label + text, False
            label, is_first = "", False
            continue
        long, label = _split(text, is_first=index == 0)
        if long:
            yield _quoted(long), long, False
    if label:
        yield _quoted(label), label, not is_first


def _joined(pieces: list[tuple[bool, str]]) -> Iterator[tuple[bool, str]]:
    """Fixed texts that a comment has parted are one."""
    fixed = ""
    for is_fixed, text in pieces:
        if is_fixed:
            fixed += text
            continue
        if fixed:
            yield True, fixed
            fixed = ""
        yield False, text
    if fixed:
        yield True, fixed


def _split(text: str, *, is_first: bool) -> tuple[str, str]:
    """Fixed text, and the label at its end."""
    if len(text) <= _LABEL and not is_first:
        return "", text
    head, newline, label = text.rpartition("\n")
    if not newline or len(label) > _LABEL:
        return text, ""
    return head, newline + label


def _placeholder(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 2 * _SHOWN else text[:_SHOWN] + "…"


def _quoted(text: str) -> str:
    text = " ".join(text.split())
    return f'the text "{text[:_SHOWN]}…"' if len(text) > _SHOWN else f'the text "{text}"'
