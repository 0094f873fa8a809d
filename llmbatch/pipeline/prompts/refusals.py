"""The reason for which a text is no template, in a user's words, and with what to write instead.

Jinja2 speaks of tokens. A user has written a column's name that is no identifier, JSON with double
braces, or a placeholder of another language.
"""

import re
from collections.abc import Callable, Iterable, Iterator

import jinja2

from llmbatch.core.errors import nearest

_PLACEHOLDER = re.compile(r"\{\{[-+]?(.*?)[-+]?\}\}", re.DOTALL)
_HALF_CLOSED = re.compile(r"\{\{\s*([\w.]+)\s*\}(?!\})")
_IN_BRACES = re.compile(r"\s*\{+\s*([\w.]+)\s*\Z")
_OBJECT = re.compile(r"""\s*("[^"]*"|'[^']*'|\w+)\s*:""")
_NAME = re.compile(r"[^|(){}\[\]'\"&<>=!]+")
_OPENED = re.compile(r"\{%[-+]?\s*(\w+)")
_LONGEST = 40
_RAW = "between {% raw %} and {% endraw %}"


def explain(
    source: str, error: jinja2.TemplateSyntaxError, environment: jinja2.Environment
) -> tuple[int, str]:
    """The line of a fault in a template, and what is wrong there with what to do."""
    message = error.message or ""
    if "looking for" in message or "unknown tag" in message:
        return _of_statement(source, error.lineno, message)
    for find in (_comment, _raw, _unclosed):
        if found := find(source, message):
            start, text = found
            return _line(source, start), text
    if named := re.match(r"No (filter|test) named '(.*)'", message):
        kind, name = named.groups()
        known = environment.filters if kind == "filter" else environment.tests
        return error.lineno, f"there is no {kind} {name!r}{nearest(name, known)}"
    for start, inner in _faulty(source, environment):
        return _line(source, start), _of_placeholder(inner, message)
    return error.lineno, message


def _line(source: str, start: int) -> int:
    return source.count("\n", 0, start) + 1


def _comment(source: str, message: str) -> tuple[int, str] | None:
    if "end of comment" not in message:
        return None
    return source.rfind("{#"), "{# begins a comment that no #} ends; as text write {{ '{#' }}"


def _raw(source: str, message: str) -> tuple[int, str] | None:
    if "end of raw" not in message:
        return None
    return max(source.rfind("raw"), 0), "{% raw %} is not closed: write {% endraw %} after the text"


def _unclosed(source: str, message: str) -> tuple[int, str] | None:
    if found := _HALF_CLOSED.search(source):
        name = found[1]
        return found.start(), f"{_short(found[0])} is not closed: did you mean {{{{ {name} }}}}?"
    if "end of template" not in message:
        return None
    is_block = "statement block" in message
    opening, closing = ("{%", "%}") if is_block else ("{{", "}}")
    start = source.rfind(opening)
    shown = _short(source[start:])
    text = f"{shown} is not closed: write {closing} at its end; as text write {{{{ '{opening}' }}}}"
    return start, text


def _faulty(source: str, environment: jinja2.Environment) -> Iterator[tuple[int, str]]:
    """The placeholders that cannot be read: the place of each, and the text in its braces."""
    for found in _PLACEHOLDER.finditer(source):
        try:
            environment.parse(found[0])
        except jinja2.TemplateSyntaxError:
            yield found.start(), found[1]


def _of_placeholder(inner: str, message: str) -> str:
    text = inner.strip()
    if not text:
        return (
            "{{ }} holds nothing: write a column's name in it, as {{ text }}; as text write "
            "{{ '{{ }}' }}"
        )
    if found := _IN_BRACES.match(inner):
        name = found[1]
        return (
            f"three braces are not a placeholder: did you mean {{{{ {name} }}}}? With a brace "
            f"around it write {{{{ '{{' }}}}{{{{ {name} }}}}{{{{ '}}' }}}}"
        )
    if _OBJECT.match(inner):
        return (
            f"{{{{ begins a placeholder, and {_short(text)} is none: for JSON in a prompt write "
            f"single braces, {{{_short(text)}}}, or put a text with double ones {_RAW}"
        )
    if is_odd(text) and _NAME.fullmatch(text):
        return (
            f"{{{{ {_short(text)} }}}} cannot be read ({message}); a column whose name is more "
            f"than a word is written {written(text)}"
        )
    return f"{{{{ {_short(text)} }}}} cannot be read: {message}"


def _of_statement(source: str, line: int, message: str) -> tuple[int, str]:
    """A statement that is not closed, or that is none."""
    if inner := re.search(r"needs to be closed is '(\w+)'", message):
        kind = inner[1]
        start = max(_unmatched(source, kind), 0)
        return _line(source, start), f"{{% {kind} %}} is not closed: write {{% end{kind} %}}"
    name = (re.search(r"unknown tag '(.*?)'", message) or [""])[1]
    if name.startswith("end") or name in ("else", "elif"):
        return line, f"{{% {name} %}} closes nothing: the statement before it is missing"
    known = ("if", "for", "set", "macro", "filter", "with", "raw", "endif", "endfor")
    return (
        line,
        f"{{% {name} %}} is no statement{nearest(name, known)}; as text write {{{{ '{{%' }}}}",
    )


def _unmatched(source: str, kind: str) -> int:
    """The place of the last statement of a kind that is not closed."""
    opened: list[int] = []
    for found in _OPENED.finditer(source):
        if found[1] == kind:
            opened.append(found.start())
        elif found[1] == f"end{kind}" and opened:
            opened.pop()
    return opened[-1] if opened else -1


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"


def is_odd(name: str) -> bool:
    """True for a column's name that a template cannot use as a variable."""
    return not name.isidentifier() or name in ("true", "false", "none", "True", "False", "None")


def written(name: str) -> str:
    """The placeholder of a column of any name."""
    if not is_odd(name):
        return f"{{{{ {name} }}}}"
    quoted = name.replace("\\", "\\\\").replace("'", "\\'")
    return f"{{{{ row['{quoted}'] }}}}"


def nearest_column(name: str, columns: Iterable[str]) -> str:
    """A hint at the column that was meant, with its placeholder where it is not a plain one."""
    known = list(columns)
    dotted = [column for column in known if column.partition(".")[0] == name and "." in column]
    hint = nearest(name, dotted or known)
    meant = next((column for column in known if hint and f"mean {column!r}?" in hint), None)
    if dotted:
        return f" (write {written(dotted[0])} for {dotted[0]!r})"
    if meant is None or not is_odd(meant):
        return hint
    return f" (did you mean {written(meant)}?)"


def check_names(
    source: str,
    columns: Iterable[str],
    environment: jinja2.Environment,
    refuse: Callable[[int, str], Exception],
) -> None:
    """Raise `refuse(line, reason)` for a placeholder that holds the name of a column and yet means
    something else, such as a subtraction."""
    odd = {name.strip(): name for name in columns if is_odd(name)}
    for line, inner in _expressions(source, environment):
        name = odd.get(inner.partition("|")[0].strip())
        if name is not None:
            raise refuse(line, f"{{{{ {inner.strip()} }}}} is not read as the column {name!r}: "
                               f"write {written(name)}")  # fmt: skip


def _expressions(source: str, environment: jinja2.Environment) -> Iterator[tuple[int, str]]:
    """The placeholders of a template: the line of each, and the text in its braces."""
    held: list[str] | None = None
    for line, kind, value in environment.lex(source):
        if kind == "variable_begin":
            held = []
        elif kind == "variable_end" and held is not None:
            yield line, "".join(held)
            held = None
        elif held is not None:
            held.append(value)
