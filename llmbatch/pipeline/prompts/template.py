"""From a row to the messages of its request."""

import copy
from collections.abc import Iterable, Sequence
from typing import Any, Self

import jinja2
import jinja2.nodes

from llmbatch.core import exact_json
from llmbatch.core.errors import UsageError, nearest
from llmbatch.core.records import Message
from llmbatch.pipeline.prompts import sandbox

# Names that every template may use beside the columns; a column of that name wins.
_OWN_NAMES = {"row", "record"}


LONGEST = 10_000_000
"""Characters of one message: far more than any context takes."""


class TemplateError(Exception):
    """A row for which the template cannot be rendered."""


class Prompt:
    """The compiled templates of a job.

    Columns are variables by their names. `row` is the row as a mapping (for columns whose
    names are no identifiers), `record` the row as a JSON object, whose fields come in `order`;
    those that it does not name follow as they came.
    """

    def __init__(
        self,
        prompt: str,
        system: str | None,
        order: Sequence[str] = (),
        columns: Iterable[str] = (),
    ) -> None:
        """`columns`: see `for_rows`."""
        self._environment = sandbox.environment()
        self._parts: list[tuple[str, str, jinja2.Template]] = []
        if system is not None:
            self._parts.append(("system", "system prompt", self._compile("system prompt", system)))
        self._parts.append(("user", "prompt", self._compile("prompt", prompt)))
        sources = {"system prompt": system or "", "prompt": prompt}
        trees = {what: self._environment.parse(source) for what, source in sources.items()}
        self._wanted = {name: what for what, tree in trees.items() for name in sandbox.names(tree)}
        # The longest row (characters) that is surely rendered to little and in no time.
        self.small_row = min(_small_row(trees[what], sources[what]) for what in sources)
        self._sources = (prompt, system)
        self._fit(order, columns)

    def _fit(self, order: Sequence[str], columns: Iterable[str]) -> None:
        self._order = order
        # What makes this prompt again elsewhere.
        self.settings = (*self._sources, list(order), sorted(_OWN_NAMES & set(columns)))
        # Where some rows have such a column it means the column in all of them.
        self._own_names = _OWN_NAMES - set(columns)

    def for_rows(self, order: Sequence[str], columns: Iterable[str] = ()) -> Self:
        """The same templates with another order of a record's fields, for rows with these
        `columns`, of which those count that have names which templates use otherwise."""
        other = copy.copy(self)
        other._fit(order, columns)
        return other

    def _compile(self, what: str, source: str) -> jinja2.Template:
        try:
            return self._environment.from_string(source)
        except jinja2.TemplateSyntaxError as error:
            raise UsageError(f"{what}, line {error.lineno}: {error.message}") from error
        except RecursionError as error:
            raise UsageError(f"{what}: is nested too deep") from error

    def check(self, columns: Iterable[str], source: str) -> None:
        """Raise UsageError if a template names a column that no row of `source` has."""
        known = list(columns)
        for name, what in sorted(self._wanted.items()):
            if name not in known and name not in _OWN_NAMES:
                shown = ", ".join(known[:20]) or "none"
                raise UsageError(
                    f"{what}: no column {name!r} in {source}{nearest(name, known)}; "
                    f"columns: {shown}"
                )

    def writes_record(self, columns: Iterable[str]) -> bool:
        """True if a template writes whole rows; a column named `record` is a column."""
        return "record" in self._wanted and "record" not in columns

    def render(self, data: str) -> list[Message]:
        """The messages of one row. Raises TemplateError with the reason in one line. Neither time
        nor memory is bounded unless the row is small (see `rendering`)."""
        context = self.context(data)
        return [
            Message(role, fill(what, template, context))  # type: ignore[arg-type]
            for role, what, template in self._parts
        ]

    def context(self, data: str) -> dict[str, Any]:
        """The names that the templates know, with their values in a row."""
        row = exact_json.parse_record(data)
        context: dict[str, Any] = {"row": row} if "row" in self._own_names else {}
        if "record" in self._wanted and "record" in self._own_names:
            context["record"] = exact_json.dump_record(self._ordered(row))
        context.update(row)
        return context

    def _ordered(self, row: dict[str, Any]) -> dict[str, Any]:
        if not self._order:
            return row
        return {name: row[name] for name in self._order if name in row} | row


def _small_row(tree: jinja2.nodes.Template, source: str) -> int:
    bound = sandbox.bound(tree, source)
    return -1 if bound is None else bound.row(LONGEST)


def fill(what: str, template: jinja2.Template, context: dict[str, Any]) -> str:
    """A template's text for one row. Raises TemplateError with the reason in one line."""
    try:
        # As `Template.render` does, which copies all names one by one for each row.
        names = template.new_context(template.environment.globals | context, shared=True)
        text = "".join(template.root_render_func(names))
        text.encode()
    except MemoryError as error:
        raise TemplateError(f"{what}: takes too much memory") from error
    except Exception as error:  # every error of a template is the row's failure
        raise TemplateError(
            f"{what}: {' '.join(str(error).split()) or type(error).__name__}"
        ) from error
    if len(text) > LONGEST:
        raise TemplateError(f"{what}: has {len(text):,} characters, more than {LONGEST:,}")
    return text
