"""From a row to the messages of its request."""

import copy
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, partial
from types import MappingProxyType
from typing import Any, Self

import jinja2
import jinja2.nodes

from llmbatch.core import exact_json
from llmbatch.core.errors import UsageError
from llmbatch.core.records import Message, Role
from llmbatch.pipeline.prompts import column_use, refusals, sandbox, speakers, turns
from llmbatch.pipeline.prompts.environment import TemplateEnvironment
from llmbatch.pipeline.prompts.examples import Examples
from llmbatch.pipeline.prompts.label_listing import emptied
from llmbatch.pipeline.prompts.needs import NO_NEEDS, EmptyRowError, Needs
from llmbatch.pipeline.prompts.pieces import PREFILL, PROMPT, SYSTEM, Piece, of_chat
from llmbatch.pipeline.prompts.speakers import Speaker
from llmbatch.pipeline.prompts.values import EmptyRecord, any_says_something

# The keys of the job that hold templates which may stand in files.
_KEYS = {"system": SYSTEM, "prompt": PROMPT, "prefill": PREFILL}
# Names that every template may use beside the columns; a column of that name wins.
_OWN_NAMES = {"row", "record"}
# Of each message: its role, the name of its template for people, the compiled template.
Parts = list[tuple[Role, str, jinja2.Template]]
Given = Callable[[Mapping[str, Any]], list[Message]]
"""Makes messages of a row without a template. Raises TemplateError."""

NO_FILES: Mapping[str, str] = MappingProxyType({})

LONGEST = 10_000_000
"""Characters of one message: far more than any context takes."""


class TemplateError(Exception):
    """A row for which the template cannot be rendered. `kind`: of the row's failure."""

    kind = "template"


class Prompt:
    """The compiled templates of a job.

    Columns are variables by their names. `row` is the row as a mapping (for columns whose
    names are no identifiers), `record` the row as a JSON object, whose fields come in `order`;
    those that it does not name follow as they came.
    """

    def __init__(
        self,
        prompt: str | None,
        system: str | None,
        order: Sequence[str] = (),
        columns: Iterable[str] = (),
        needs: Needs = NO_NEEDS,
        files: Mapping[str, str] = NO_FILES,
        pieces: Sequence[Piece] | None = None,
        given: Given | None = None,
        given_column: str | None = None,
        examples: Examples | None = None,
    ) -> None:
        """`columns`: see `for_rows`; `needs`: what a row must hold to be asked; `files`: the names
        of the files that hold the "prompt" and the "system" prompt, where they stand in files;
        `pieces`: all templates of a job that has others than these two; `given`: makes messages
        (of the `given_column`), which stand between those of the templates as `turns.joined` says;
        `examples`: shown before each row (see `rendering.turns_of`)."""
        self._environment = TemplateEnvironment()
        self._pieces = of_chat(prompt, system) if pieces is None else tuple(pieces)
        self._given, self._given_column = given, given_column
        self.examples = examples
        self._sources = {piece.title: piece.source for piece in self._pieces}
        self._titles = _titles(self._sources, files)
        self._parts = _compiled(self._pieces, self._environment, self._titles)
        trees = self._trees
        self._wanted = {name: what for what, tree in trees.items() for name in sandbox.names(tree)}
        # The longest row (characters) that is surely rendered to little and in no time.
        self.small_row = min(
            (_small_row(trees[what], self._sources[what]) for what in trees), default=sys.maxsize
        )
        self._needs = needs
        asks = needs.placeholders and given is None
        self._speakers = list(speakers.find(self._pieces, trees)) if asks else []
        self._fit(order, columns)

    def _fit(self, order: Sequence[str], columns: Iterable[str]) -> None:
        self._order = order
        # What makes this prompt again elsewhere.
        self.settings = (
            [list(piece) for piece in self._pieces],
            list(order),
            sorted(_OWN_NAMES & set(columns)),
            self._needs.settings,
        )
        # Where some rows have such a column it means the column in all of them.
        self._own_names = _OWN_NAMES - set(columns)

    def for_rows(self, order: Sequence[str], columns: Iterable[str] = ()) -> Self:
        """The same templates with another order of a record's fields, for rows with these
        `columns`, of which those count that have names which templates use otherwise."""
        other = copy.copy(self)
        other._fit(order, columns)
        return other

    def of_examples(self) -> Self:
        """The same without all but the template of the prompt, for the rows of examples."""
        pieces = [piece for piece in self._pieces if piece.title == PROMPT]
        other = type(self)(None, None, needs=Needs((), self._needs.placeholders), pieces=pieces)
        other._titles = self._titles
        other._fit(self._order, _OWN_NAMES - self._own_names)
        return other

    @property
    def _trees(self) -> dict[str, jinja2.nodes.Template]:
        return column_use.parsed(self._sources, self._environment)

    def check(self, columns: Iterable[str], source: str) -> None:
        """Raise UsageError if a template names a column that no row of `source` has."""
        known = list(columns)
        self._needs.check_columns(known, source)
        for what, template in self._sources.items():
            refusals.check_names(template, known, self._environment, partial(self._refused, what))
        for name, what in sorted(self._wanted.items()):
            if name not in known and name not in _OWN_NAMES:
                shown = ", ".join(known[:20]) or "none"
                raise UsageError(
                    f"{self._titles[what]}: no column {name!r} in {source}"
                    f"{refusals.nearest_column(name, known)}; columns: {shown}"
                )

    def check_use(self, columns: Sequence[str], source: str) -> None:
        """Raise UsageError if no template uses a column of `source`: all rows would ask the
        same."""
        if self._given is None:
            column_use.check(self._trees, columns, source, self._titles)

    def columns_used(self, columns: Sequence[str]) -> list[str]:
        """Those of the columns of an input that the templates use, in their order."""
        use = column_use.find(self._trees, columns)
        own = self._given_column
        return [name for name in columns if use.is_whole or name in use.columns or name == own]

    def notices(self, columns: Sequence[str]) -> list[str]:
        """Lines for the user, about text that looks like a placeholder of a column."""
        found = column_use.notices(self._trees, columns, self._titles)
        found += turns.notices(self._pieces)
        if self.examples is not None:
            found += self.examples.notices(columns, writes_record=self.writes_record(columns))
        return found

    def _refused(self, what: str, line: int, reason: str) -> UsageError:
        return UsageError(f"{self._titles[what]}, line {line}: {reason}")

    def writes_record(self, columns: Iterable[str]) -> bool:
        """True if a template writes whole rows; a column named `record` is a column."""
        return "record" in self._wanted and "record" not in columns

    def render(self, data: str) -> list[Message]:
        """The messages of one row. Raises EmptyRowError for one that lacks what is needed, and
        TemplateError with the reason in one line. Neither time nor memory is bounded unless the
        row is small (see `rendering`)."""
        row = exact_json.parse_record(data)
        if self._needs.columns:
            self._needs.check(row)
        context = self._context(row)
        for speaker in self._speakers:
            if not self._surely_writes(row, speaker):
                self._check_written(context, speaker)
        made = [self._message(*part, context) for part in self._parts]
        made = turns.without_empty_beginning(made)
        return made if self._given is None else turns.joined(made, self._given(row))

    def with_given(self, made: list[Message], data: str) -> list[Message]:
        """The messages that the templates have made of a row elsewhere, and those without one.
        Raises TemplateError as `render` does."""
        if self._given is None:
            return made
        return turns.joined(made, self._given(exact_json.parse_record(data)))

    def _message(
        self, role: Role, what: str, template: jinja2.Template, context: dict[str, Any]
    ) -> Message:
        text = fill(what, template, context)
        if role in speakers.ALONE and (not text or text.isspace()):
            raise EmptyRowError(f"the {what} is empty")
        return Message(role, text)

    def _surely_writes(self, row: dict[str, Any], speaker: Speaker) -> bool:
        """True if a column whose text is always written is not empty; so it is in most rows."""
        for name in speaker.always:
            value = row.get(name)
            if type(value) is str and value and not value.isspace():
                return True
        is_record = "record" in speaker.always and "record" in self._own_names
        return is_record and any_says_something(row.values())

    def _check_written(self, context: dict[str, Any], speaker: Speaker) -> None:
        """Raise EmptyRowError for a row of which the templates write nothing, whatever it lacks."""
        parts, environment = self._marking
        environment.has_written = False
        try:
            for _, what, template in parts:
                if what in speaker.titles:
                    fill(what, template, context)
        except TemplateError:
            return  # it fails again, with its reason
        if not environment.has_written:
            raise EmptyRowError(speaker.emptiness(self._own_names))

    @cached_property
    def _marking(self) -> tuple[Parts, TemplateEnvironment]:
        environment = TemplateEnvironment(is_marking=True)
        pieces = [piece._replace(source=emptied(piece.source)) for piece in self._pieces]
        return _compiled(pieces, environment, self._titles), environment

    def context(self, data: str) -> dict[str, Any]:
        """The names that the templates know, with their values in a row."""
        return self._context(exact_json.parse_record(data))

    def _context(self, row: dict[str, Any]) -> dict[str, Any]:
        context: dict[str, Any] = {"row": row} if "row" in self._own_names else {}
        if "record" in self._wanted and "record" in self._own_names:
            record = exact_json.dump_record(self._ordered(row))
            context["record"] = record if any_says_something(row.values()) else EmptyRecord(record)
        context.update(row)
        return context

    def _ordered(self, row: dict[str, Any]) -> dict[str, Any]:
        if not self._order:
            return row
        return {name: row[name] for name in self._order if name in row} | row


def _titles(titles: Iterable[str], files: Mapping[str, str]) -> dict[str, str]:
    """The names of the templates for people, with the files in which they stand."""
    named = {what: files.get(key) for key, what in _KEYS.items()}
    found = {what: named.get(what, files.get(what)) for what in titles}
    return {what: what if file is None else f"{what} ({file})" for what, file in found.items()}


def _compiled(
    pieces: Iterable[Piece], environment: TemplateEnvironment, titles: Mapping[str, str]
) -> Parts:
    return [
        (piece.role, piece.title, _compile(titles[piece.title], piece.source, environment))
        for piece in pieces
    ]


def _compile(what: str, source: str, environment: TemplateEnvironment) -> jinja2.Template:
    try:
        return environment.from_string(source)
    except jinja2.TemplateSyntaxError as error:
        line, reason = refusals.explain(source, error, environment)
        raise UsageError(f"{what}, line {line}: {reason}") from error
    except RecursionError as error:
        raise UsageError(f"{what}: is nested too deep") from error


def _small_row(tree: jinja2.nodes.Template, source: str) -> int:
    bound = sandbox.bound(tree, source)
    return -1 if bound is None else bound.row(LONGEST)


def fill(what: str, template: jinja2.Template, context: dict[str, Any]) -> str:
    """A template's text for one row. Raises TemplateError with the reason in one line."""
    try:
        # As `Template.render` does, which copies all names one by one for each row.
        names = template.new_context(template.environment.globals | context, shared=True)
        text = "".join(template.root_render_func(names))
        if not text.isascii():
            text.encode()  # raises for half a character
    except MemoryError as error:
        raise TemplateError(f"{what}: takes too much memory") from error
    except Exception as error:  # every error of a template is the row's failure
        reason = " ".join(str(error).split()).replace("NoneType", "null")
        raise TemplateError(f"{what}: {reason or type(error).__name__}") from error
    if len(text) > LONGEST:
        raise TemplateError(f"{what}: has {len(text):,} characters, more than {LONGEST:,}")
    return text
