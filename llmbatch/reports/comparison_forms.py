"""The forms of a comparison: text, JSON, Markdown and a page."""

from collections.abc import Iterator

import orjson

from llmbatch.core import visible
from llmbatch.reports import comparison_words as words
from llmbatch.reports.comparison import Comparison
from llmbatch.reports.markdown import markup
from llmbatch.reports.text.columns import columns
from llmbatch.reports.text.money import line as labelled


def render(given: Comparison, style: str) -> str:
    """The comparison in one of the forms of reports."""
    if style == "json":
        return orjson.dumps(given, option=orjson.OPT_INDENT_2).decode() + "\n"
    if style == "html":
        from llmbatch.reports.html import comparison

        return comparison.render(given)
    made = _markdown(given) if style == "markdown" else map(visible.line, _text(given))
    return "\n".join(made) + "\n"


def _text(given: Comparison) -> Iterator[str]:
    yield words.heading(given)
    for label, texts in words.lines(given):
        for place, text in enumerate(texts):
            yield labelled("" if place else label, text)
    for table in words.tables(given):
        yield from ("", table.title)
        yield from (f"  {line}" for line in columns(table))
        yield from (f"  {note}" for note in table.notes)


def _markdown(given: Comparison) -> Iterator[str]:
    yield from (f"## {markup.escaped(words.heading(given))}", "")
    for label, texts in words.lines(given):
        yield f"- **{label}:** {'; '.join(map(markup.escaped, texts))}"
    for table in words.tables(given):
        yield from ("", f"### {markup.escaped(table.title)}", "", *markup.table(table))
        for note in table.notes:
            yield from ("", markup.escaped(note))
