"""Jinja2 as prompts have it: restricted, nothing evaluated early, and values as JSON writes them.

Python's own words for a value (`None`, `True`, `['a']`) never reach a prompt, on whatever way it
is written there: a placeholder, `~`, a filter of text, a format. A null has the filters and loops
of an empty text or list. Values are as `values` says; numbers and text are as in plain Jinja2.
"""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

import jinja2
from jinja2 import nodes, pass_eval_context
from jinja2.compiler import CodeGenerator, Frame
from jinja2.filters import make_attrgetter
from jinja2.nodes import EvalContext
from jinja2.runtime import Context, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment, SandboxedFormatter
from jinja2.utils import missing
from markupsafe import Markup

from llmbatch.core import exact_json
from llmbatch.pipeline.prompts.values import formatted, says_something, shown, text_of

# Filters that work on the text of a value.
_OF_TEXT = (
    *("capitalize", "center", "e", "escape", "forceescape", "indent", "lower", "replace", "safe"),
    *("string", "striptags", "title", "trim", "truncate", "upper", "urlize", "wordcount"),
    "wordwrap",
)
# Filters that work on the items of a value.
_OF_ITEMS = (
    *("batch", "count", "first", "groupby", "items", "last", "length", "list", "map", "max"),
    *("min", "reject", "rejectattr", "reverse", "select", "selectattr", "slice", "sort", "sum"),
    "unique",
)


class CodeWriter(CodeGenerator):
    """Writes the code of a template without evaluating its constant parts, such as a huge one."""

    def _output_child_to_const(self, node: nodes.Expr, frame: Frame, finalize: Any) -> str:
        if not isinstance(node, nodes.TemplateData):
            raise nodes.Impossible
        return super()._output_child_to_const(node, frame, finalize)

    def visit_ScopedEvalContextModifier(  # noqa: N802
        self, node: nodes.ScopedEvalContextModifier, frame: Frame
    ) -> None:
        if not all(isinstance(option.value, nodes.Const) for option in node.options):
            raise jinja2.TemplateSyntaxError("autoescape takes true or false", node.lineno)
        super().visit_ScopedEvalContextModifier(node, frame)

    def _output_child_pre(self, node: nodes.Expr, frame: Frame, finalize: Any) -> None:
        if self._is_quick(frame):
            self.write("(_written if type(_written := (")
        else:
            super()._output_child_pre(node, frame, finalize._replace(src=f"{_writer(node)}("))

    def _output_child_post(self, node: nodes.Expr, frame: Frame, finalize: Any) -> None:
        if self._is_quick(frame):
            self.write(")) is str else environment.shown(_written))")
        else:
            super()._output_child_post(node, frame, finalize)

    def _is_quick(self, frame: Frame) -> bool:
        """True if text is written as it is, without a call of a function."""
        context = frame.eval_ctx
        is_marking = getattr(self.environment, "is_marking", False)
        return not (is_marking or context.volatile or context.autoescape)

    def visit_Concat(self, node: nodes.Concat, frame: Frame) -> None:  # noqa: N802
        parts: list[Any] = [_Written(part) for part in node.nodes]
        super().visit_Concat(nodes.Concat(parts, lineno=node.lineno), frame)

    def visit(self, node: nodes.Node, *args: Any, **more: Any) -> Any:
        """Visit a node, or write a part of a text with it."""
        if not isinstance(node, _Written):
            return super().visit(node, *args, **more)
        self.write(f"{_writer(node.part)}(")
        super().visit(node.part, *args, **more)
        return self.write(")")

    def visit_For(self, node: nodes.For, frame: Frame) -> None:  # noqa: N802
        # Over a null it goes as over an empty list.
        node.iter = nodes.Or(node.iter, nodes.Tuple([], "load"), lineno=node.lineno)
        super().visit_For(node, frame)


class _Written:
    """A part of a text that `~` puts together."""

    def __init__(self, part: nodes.Expr) -> None:
        self.part = part


def _writer(node: nodes.Expr) -> str:
    """The function that writes the value of an expression. What a template says itself, whatever
    the row, does not count as said by the row; the parts of a text count by themselves."""
    is_own = isinstance(node, nodes.Const | nodes.Concat)
    return "environment.shown" if is_own else "environment.finalize"


class _MissingValue(jinja2.StrictUndefined):
    """A value that is not in a row; the message says so in a user's words."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        of, name = self._undefined_obj, self._undefined_name
        if self._undefined_hint or of is missing:
            return super()._undefined_message
        if of is None:
            return f"null has no {name!r}"
        if isinstance(of, dict):
            return f"the object has no key {name!r}"
        return super()._undefined_message


class TemplateEnvironment(ImmutableSandboxedEnvironment):
    """Jinja2, restricted to what templates may use.

    With `is_marking` it finds whether templates write anything that comes from the row, whatever
    the row lacks: a missing value is nothing, and `has_written` becomes True when a placeholder
    writes something.
    """

    code_generator_class = CodeWriter
    intercepted_binops = frozenset({"%"})
    shown = staticmethod(text_of)

    def __init__(self, *, is_marking: bool = False) -> None:
        undefined = jinja2.ChainableUndefined if is_marking else _MissingValue
        super().__init__(undefined=undefined, optimized=False, finalize=self._finalizer())
        self.is_marking, self.has_written = is_marking, False
        # Jinja's own filter would rewrite numbers (1.10 becomes 1.1).
        self.filters["tojson"] = self.filters["pprint"] = exact_json.dump_record
        self.filters["default"] = self.filters["d"] = _default
        self.filters["join"] = _joined(self.filters["join"])
        self.filters["format"] = _format
        for name in _OF_TEXT:
            self.filters[name] = _taking(shown, self.filters[name])
        for name in _OF_ITEMS:
            self.filters[name] = _taking(_items, self.filters[name])
        self.filters["urlencode"] = _taking(_single, self.filters["urlencode"])
        # A prompt that differs each time it is rendered would be computed and paid for each time.
        del self.filters["random"], self.globals["lipsum"]

    def _finalizer(self) -> Callable[[Any], Any]:
        def finalize(value: Any) -> Any:
            if type(value) is str:
                if value and not value.isspace():
                    self.has_written = True
                return value
            if says_something(value):
                self.has_written = True
            return text_of(value)

        return finalize

    def unsafe_undefined(self, obj: Any, attribute: str) -> Undefined:
        """In place of what the sandbox forbids; to ask for it is not to write nothing."""
        self.has_written = True
        return super().unsafe_undefined(obj, attribute)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """`%`, which with a text on its left is a format."""
        return _format(left, right) if isinstance(left, str) else left % right

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """A text's `format`, whose fields are written as placeholders are."""
        wrapped = super().wrap_str_format(value)
        if wrapped is None or isinstance(value.__self__, Markup):
            return wrapped
        formatter, text = _Formatter(self), value.__self__

        def fill(*args: Any, **named: Any) -> str:
            if value.__name__ == "format_map":
                return formatter.vformat(text, (), *args)
            return formatter.vformat(text, args, named)

        return fill


class _Formatter(SandboxedFormatter):
    def get_field(self, field_name: str, args: Any, kwargs: Any) -> tuple[Any, str]:
        value, first = super().get_field(field_name, args, kwargs)
        return formatted(value), first


def _format(text: Any, *args: Any, **named: Any) -> str:
    """`text % args`, with the values of `args` written as placeholders are."""
    text = shown(text)
    values: Any = named or args
    if len(args) == 1 and isinstance(args[0], Mapping if "%(" in text else tuple):
        values = args[0]
    if isinstance(values, Mapping):
        return str(text % {name: formatted(value) for name, value in values.items()})
    return str(text % tuple(map(formatted, values)))


def _default(value: Any, default_value: Any = "", boolean: object = False) -> Any:
    """A value in place of one that is missing or null; with `boolean` of any that is false."""
    is_none = value is None or isinstance(value, Undefined)
    return default_value if is_none or (boolean and not value) else value


def _joined(join: Callable[..., str]) -> Callable[..., str]:
    @pass_eval_context
    def joined(
        context: EvalContext, value: Any, d: str = "", attribute: str | int | None = None
    ) -> str:
        items = _items(value)
        if attribute is not None:
            items = map(make_attrgetter(context.environment, attribute), items)
        return join(context, [shown(item) for item in items], d)

    return joined


def _items(value: Any) -> Any:
    return () if value is None else value


def _single(value: Any) -> Any:
    """A null or boolean as text; objects and lists of pairs have a form of their own."""
    return shown(value) if value is None or isinstance(value, bool) else value


def _taking(change: Callable[[Any], Any], apply: Callable[..., Any]) -> Callable[..., Any]:
    """The filter `apply` on the changed value; its context, if it takes one, comes before."""
    place = 1 if hasattr(apply, "jinja_pass_arg") else 0

    @wraps(apply)
    def changed(*args: Any, **named: Any) -> Any:
        return apply(*args[:place], change(args[place]), *args[place + 1 :], **named)

    return changed
