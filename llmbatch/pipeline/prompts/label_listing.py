"""The labels of a classification in the job's templates.

`{{ labels }}` writes a line for each, with its description; in a loop or a filter `labels` is a
list of objects with `name` and `description`. Where no template has it, the system prompt ends with
such a list. All of it becomes the template's own text, so it is in the keys of requests through
their messages, and every prompt begins alike.
"""

import re

import jinja2
from jinja2 import nodes

from llmbatch.job.classify import ClassifySpec
from llmbatch.pipeline.prompts.environment import TemplateEnvironment

NAME = "labels"
_WRITTEN = re.compile(r"\{\{([-+]?)\s*labels\s*([-+]?)\}\}")
_SET = re.compile(rf"\A\{{% set {NAME} = .*?%\}}")
_LEAD = "Answer with one of these labels, as it is written here and without anything else:\n"


def uses(source: str) -> bool:
    """True if a template uses the labels."""
    try:
        tree = TemplateEnvironment().parse(source)
    except (jinja2.TemplateSyntaxError, RecursionError):
        return False  # it is told when the template is compiled
    return any(name.name == NAME and name.ctx == "load" for name in tree.find_all(nodes.Name))


def system(prompt: str | None, source: str | None, given: ClassifySpec) -> str | None:
    """The template of the system prompt, with the list of labels if no template names them and the
    job wants it."""
    written = [text for text in (prompt, source) if text is not None]
    if not given.list_labels or any(map(uses, written)):
        return source
    before = "" if source is None else source.rstrip("\n")
    return f"{before}{_literal(('' if not before else chr(10) * 2) + _LEAD + listing(given))}"


def filled(source: str, given: ClassifySpec) -> str:
    """A template whose `labels` are those of the job. Its lines stay where they are."""
    if not uses(source):
        return source
    text = _WRITTEN.sub(lambda found: _literal(listing(given), *found.groups()), source)
    if not uses(text):
        return text
    items = (
        f'{{"name": {_quoted(label)}, "description": {_quoted(given.descriptions.get(label, ""))}}}'
        for label in given.labels
    )
    return f"{{% set {NAME} = [{', '.join(items)}] %}}{text}"


def emptied(source: str) -> str:
    """A template as `filled` makes it, without the labels: what it then writes is the row's."""
    return _SET.sub(f"{{% set {NAME} = [] %}}", source, count=1)


def listing(given: ClassifySpec) -> str:
    """A line for each label, with its description if it has one."""
    return "\n".join(
        f"- {label}: {given.descriptions[label]}" if label in given.descriptions else f"- {label}"
        for label in given.labels
    )


def _literal(text: str, left: str = "", right: str = "") -> str:
    return f"{{{{{left} {_quoted(text)} {right}}}}}"


def _quoted(text: str) -> str:
    """A text of Jinja2's, in one line and without the end of a statement."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    escaped = escaped.replace("%", "\\x25")
    return f'"{escaped}"'
