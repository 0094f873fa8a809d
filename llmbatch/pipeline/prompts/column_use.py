"""The columns that templates use, and text that looks as if it were meant to be one.

Other languages write `{name}`, `$name`, `<name>`. Here that is plain text, and a prompt without
columns asks the same of every row.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import jinja2
from jinja2 import nodes

from llmbatch.core.errors import UsageError
from llmbatch.pipeline.prompts import sandbox
from llmbatch.pipeline.prompts.refusals import nearest_column, written

# The ways in which other languages write a name in a text; the longer ones first.
_FORMS = (
    *(r"\$\{{\s*{0}\s*\}}", r"#\{{\s*{0}\s*\}}", r"\{{\s*{0}(?:![rsa])?\s*\}}+", r"%\({0}\)s"),
    *(r"<<\s*{0}\s*>>", r"<{0}>", r"\[\[\s*{0}\s*\]\]", r"\[{0}\](?!\()", r"\${0}\b", r"%{0}%"),
)
_MOST_COLUMNS = 500
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class ColumnUse:
    """`columns`: those that templates write or ask for; `is_whole`: some template uses rows as a
    whole, and so any column."""

    columns: frozenset[str]
    is_whole: bool

    @property
    def is_none(self) -> bool:
        """True if every row gives the same prompt."""
        return not (self.columns or self.is_whole)


@dataclass(frozen=True, slots=True)
class Lookalike:
    """A piece of plain text that looks like a placeholder of a column."""

    what: str
    line: int
    text: str
    column: str

    @property
    def hint(self) -> str:
        """The question whether it was meant as one."""
        return f"{self.text} is plain text: did you mean {written(self.column)}?"


def find(trees: Mapping[str, nodes.Template], columns: Sequence[str]) -> ColumnUse:
    """The use that templates (parsed, by name) make of the columns of the input."""
    used: set[str] = set()
    is_whole = False
    for tree in trees.values():
        # A column takes the place of a function of its name, such as `range`.
        names = {node.name for node in tree.find_all(nodes.Name) if node.ctx == "load"}
        used |= (names & set(columns)) | sandbox.names(tree)
        is_whole |= "record" in sandbox.names(tree) - set(columns)
        if "row" not in columns:
            keys = list(_keys_of_row(tree))
            used |= {key for key in keys if key is not None}
            is_whole |= None in keys
    return ColumnUse(frozenset(used & set(columns)), is_whole)


def _keys_of_row(tree: nodes.Template) -> Iterator[str | None]:
    """The keys that a template takes from `row`; None where it uses `row` in another way."""
    taken = 0
    for node in tree.find_all((nodes.Getattr, nodes.Getitem)):
        assert isinstance(node, nodes.Getattr | nodes.Getitem)
        if not (isinstance(node.node, nodes.Name) and node.node.name == "row"):
            continue
        taken += 1
        if isinstance(node, nodes.Getattr):
            yield node.attr
        else:
            key = node.arg.value if isinstance(node.arg, nodes.Const) else None
            yield key if isinstance(key, str) else None
    if sum(node.name == "row" for node in tree.find_all(nodes.Name)) > taken:
        yield None


def check(
    trees: Mapping[str, nodes.Template],
    columns: Sequence[str],
    source: str,
    titles: Mapping[str, str],
) -> None:
    """Raise UsageError if no template uses a column of `source`; `titles`: how each is called."""
    if not find(trees, columns).is_none:
        return
    alike = next(_lookalikes(trees, columns), None)
    first = titles.get("prompt") or next(iter(titles.values()), "prompt")
    unknown = next((key for tree in trees.values() for key in _keys_of_row(tree) if key), None)
    if alike is None and unknown is not None:
        where, line = first, ""
        hint = f"there is no column {unknown!r}{nearest_column(unknown, columns)}"
    elif alike is None:
        where, line = first, ""
        shown = ", ".join(columns[:_SHOWN]) or "none"
        example = written(columns[0]) if columns else "{{ text }}"
        hint = f"write one as {example} (columns: {shown})"
    else:
        where, line, hint = titles[alike.what], f", line {alike.line}", alike.hint
    raise UsageError(
        f"{where}{line}: uses no column of {source}, so every row would ask the same; {hint}; "
        "if all rows are to ask the same, say --constant-prompt"
    )


def notices(
    trees: Mapping[str, nodes.Template], columns: Sequence[str], titles: Mapping[str, str]
) -> list[str]:
    """A line for each piece of text that looks like a placeholder of a column which no template
    uses."""
    use = find(trees, columns)
    if use.is_whole:
        return []
    found = {
        alike.column: alike
        for alike in _lookalikes(trees, columns)
        if alike.column not in use.columns
    }
    return [f"{titles[alike.what]}, line {alike.line}: {alike.hint}" for alike in found.values()]


def _lookalikes(trees: Mapping[str, nodes.Template], columns: Sequence[str]) -> Iterator[Lookalike]:
    if not columns:
        return
    named = {column.casefold(): column for column in reversed(columns[:_MOST_COLUMNS])}
    longest_first = sorted(named, key=len, reverse=True)
    name = "(" + "|".join(map(re.escape, longest_first)) + ")"
    form = re.compile("|".join(each.format(name) for each in _FORMS), re.IGNORECASE)
    for what, tree in trees.items():
        for data in tree.find_all(nodes.TemplateData):
            for found in form.finditer(data.data):
                column = next(group for group in found.groups() if group is not None)
                if not _is_tag(found[0], column, data.data):
                    line = data.lineno + data.data.count("\n", 0, found.start())
                    yield Lookalike(what, line, found[0], named[column.casefold()])


def _is_tag(text: str, name: str, around: str) -> bool:
    """True for `<name>` with a `</name>`: it is markup."""
    return text.startswith("<") and f"</{name}" in around


def parsed(
    sources: Mapping[str, str | None], environment: jinja2.Environment
) -> dict[str, nodes.Template]:
    """The templates (by name) that there are, parsed."""
    return {
        what: environment.parse(source) for what, source in sources.items() if source is not None
    }
