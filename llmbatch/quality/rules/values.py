"""The values of rows and answers, made fit for the columns that rules see."""

import json
from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from typing import Any

import orjson

from llmbatch.constraints.answer_types import AnswerType
from llmbatch.core import exact_json
from llmbatch.quality.rules.view import DECIMALS, DIGITS

Convert = Callable[[Any], Any]
_SMALLEST = Decimal(1).scaleb(-DECIMALS)
_TOO_LARGE = 10 ** (DIGITS - DECIMALS)
_EXACT_JSON = json.JSONDecoder(parse_float=Decimal)
_EXACT = Context(prec=2 * DIGITS, rounding=ROUND_HALF_EVEN)
_NUMBER = f"a number of up to {DIGITS - DECIMALS} digits before the point"
_INTEGER = "an integer of 64 bits"
_SHOWN = 60


class UnfitError(ValueError):
    """A value that no column could hold; the message says which."""


def reader(kind: AnswerType) -> Callable[[str], Any]:
    """Reads an answer of this type that is JSON."""
    convert = converter(kind)
    load = _EXACT_JSON.decode if _has_numbers(kind) else orjson.loads

    def read(text: str) -> Any:
        try:
            value = load(text)
        except (ValueError, RecursionError) as error:
            raise UnfitError(f"the answer is not JSON: {error}") from error
        return convert(value)

    return read


def converter(kind: AnswerType) -> Convert:
    """Makes a value of JSON fit for a column of this type. Raises UnfitError."""
    if isinstance(kind, str):
        return _CONVERT[kind]
    if "list" in kind:
        inner = converter(kind["list"])
        return lambda value: _list(value, inner)
    parts = {name: converter(one) for name, one in kind["struct"].items()}
    return lambda value: _struct(value, parts)


def _has_numbers(kind: AnswerType) -> bool:
    """True if JSON of this type has numbers that have to be read exactly; JSON within it, too."""
    if isinstance(kind, str):
        return kind in ("number", "integer", "json")
    inner = [kind["list"]] if "list" in kind else kind["struct"].values()
    return any(map(_has_numbers, inner))


def _list(value: Any, inner: Convert) -> list[Any] | None:
    if value is None:
        return None
    if not isinstance(value, list):
        raise _unfit(value, "a list")
    return [inner(one) for one in value]


def _struct(value: Any, parts: Mapping[str, Convert]) -> dict[str, Any] | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise _unfit(value, "an object")
    return {name: convert(value.get(name)) for name, convert in parts.items()}


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return _json(value)


def _json(value: Any) -> str | None:
    """JSON text; of a text in it the text itself, as `->>` has it."""
    if value is None or isinstance(value, str):
        return value
    return exact_json.dump_record(_exact(value))


def _exact(value: Any) -> Any:
    if isinstance(value, Decimal):
        return exact_json.Json(str(value))
    if isinstance(value, dict):
        return {name: _exact(one) for name, one in value.items()}
    return [_exact(one) for one in value] if isinstance(value, list) else value


def _number(value: Any) -> Decimal | int | None:
    """A number, rounded to the places that a column has."""
    if type(value) is Decimal:
        return _rounded(value)
    if value is None:
        return None
    if isinstance(value, exact_json.ExactFloat):
        return _rounded(Decimal(value.text))
    if isinstance(value, float):
        return _rounded(Decimal(repr(value)))
    if isinstance(value, bool) or not isinstance(value, int):
        raise _unfit(value, "a number")
    if not -_TOO_LARGE < value < _TOO_LARGE:
        raise _unfit(value, _NUMBER)
    return value


def _rounded(value: Decimal) -> Decimal:
    try:
        rounded = value.quantize(_SMALLEST, context=_EXACT)
    except InvalidOperation:
        raise _unfit(value, _NUMBER) from None
    if rounded.adjusted() >= DIGITS - DECIMALS:
        raise _unfit(value, _NUMBER)
    return rounded


def _integer(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, exact_json.ExactFloat):
        value = Decimal(value.text)
    if isinstance(value, bool) or not isinstance(value, int | Decimal | float):
        raise _unfit(value, _INTEGER)
    if not -(2**63) <= value < 2**63 or value != int(value):
        raise _unfit(value, _INTEGER)
    return int(value)


def _boolean(value: Any) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    raise _unfit(value, "true or false")


def _unfit(value: Any, wanted: str) -> UnfitError:
    return UnfitError(f"the value {str(value)[:_SHOWN]} is not {wanted}, and no rule can see it")


_CONVERT: dict[str, Convert] = {
    "text": _text,
    "json": _json,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
}
