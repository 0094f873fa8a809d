"""The values that `enum` and `const` allow, found without comparing an answer with each of them."""

from typing import Any

from llmbatch.constraints.numbers import (
    ExactDecimal,
    ExactInteger,
    engine_form,
    is_number,
    text_of,
)


def canonical(value: Any) -> Any:
    """Something hashable that is equal for equal JSON values only: 1 equals 1.0, but not true; the
    order of keys does not count."""
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, dict):
        return ("object", frozenset((name, canonical(one)) for name, one in value.items()))
    if isinstance(value, list):
        return ("array", *map(canonical, value))
    return value


class Members:
    """The allowed values, and the forms in which an engine writes their numbers."""

    def __init__(self, values: list[Any]) -> None:
        self.values = values
        self._exact: dict[Any, Any] = {}
        for value in values:
            self._exact.setdefault(canonical(value), value)
        self._forms = self._engine_forms()

    def _engine_forms(self) -> dict[Any, Any]:
        forms: dict[Any, Any] = {}
        shared = set()
        for exact, value in self._exact.items():
            form = canonical(_engine_value(value))
            if form in forms:
                shared.add(form)
            if form != exact:
                forms[form] = value
        # A form that could be two of the values says neither.
        return {form: value for form, value in forms.items() if form not in shared}

    def __repr__(self) -> str:
        return repr(self.values)

    @property
    def count(self) -> int:
        """The number of different values."""
        return len(self._exact)

    @property
    def hold_numbers(self) -> bool:
        """True if a number is among them, at any depth."""
        return any(map(_holds_number, self.values))

    def take(self, value: Any) -> bool:
        """True if `value` is one of them; its numbers are then to be written as the schema wrote
        them."""
        key = canonical(value)
        if key in self._exact:
            _write_as(self._exact[key], value)
            return True
        if key in self._forms:
            _write_as(self._forms[key], value)
            return True
        return False


def _engine_value(value: Any) -> Any:
    if is_number(value):
        return engine_form(value)
    if isinstance(value, dict):
        return {name: _engine_value(one) for name, one in value.items()}
    return [_engine_value(one) for one in value] if isinstance(value, list) else value


def _holds_number(value: Any) -> bool:
    if isinstance(value, dict | list):
        return any(map(_holds_number, value.values() if isinstance(value, dict) else value))
    return is_number(value)


def _write_as(wanted: Any, value: Any) -> None:
    """Note at each number of `value` how its equal in `wanted` is written, where it differs."""
    if isinstance(wanted, dict):
        for name, one in wanted.items():
            _write_as(one, value[name])
    elif isinstance(wanted, list):
        for one, below in zip(wanted, value, strict=True):
            _write_as(one, below)
    elif isinstance(value, ExactDecimal | ExactInteger):
        text = text_of(wanted)
        value.written = None if text == text_of(value) else text
