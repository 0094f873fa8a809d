"""The tables [[check]]: rules in SQL that each answer is held to, beside the row that it is for."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator

from llmbatch.core.errors import nearest
from llmbatch.job.fields import Section, Spelled, neutral

OnFail = Literal["retry", "fail", "flag"]
_FORM = "write NAME: RULE, such as 'sum: response.total = response.net + response.tax'"
_LONGEST_NAME = 60


class CheckRule(Section):
    """One rule. Its `name` begins the message of an answer that fails by it."""

    name: str = neutral(..., "Name of the rule, without a colon.")
    rule: str = neutral(..., "A condition in SQL over the row's columns and its response.")
    on_fail: OnFail = neutral(
        "retry", "What follows where it does not hold: another try, a failed row, or only a flag."
    )
    message: str | None = neutral(None, "What a failure says.", by_default="the rule")

    @property
    def said(self) -> str:
        """The words of a failure, on one line."""
        return " ".join((self.message or f"does not hold: {self.rule}").split())


def tables(given: Any) -> list[dict[str, Any]]:
    """The rules of a job as tables, however they are given: tables, or texts `NAME: RULE` as the
    flag has them. Raises ValueError for what is none."""
    if isinstance(given, str | Mapping):
        given = [given]
    if not isinstance(given, list | tuple):
        raise ValueError(f"must be tables [[check]], or texts: {_FORM}")
    found = [_table(number, one) for number, one in enumerate(given, 1)]
    seen: dict[str, int] = {}
    for number, table in enumerate(found, 1):
        name = table["name"].casefold()
        if name in seen:
            raise ValueError(
                f"rules {seen[name]} and {number} have one name, {table['name']!r}: failures "
                "could not be told apart"
            )
        seen[name] = number
    return found


CheckRules = Annotated[
    tuple[CheckRule, ...], Spelled(f"tables [[check]], or texts: {_FORM}"), BeforeValidator(tables)
]
"""The type of the field that holds the rules of a job."""


def merged(below: Any, over: Any) -> list[Any]:
    """The rules of a job file and those of flags, which take the place of rules of their name."""
    given = [*_listed(over)]
    names = {name for one in given if (name := _name_of(one))}
    return [one for one in _listed(below) if _name_of(one) not in names] + given


def _listed(given: Any) -> Iterator[Any]:
    yield from given if isinstance(given, list | tuple) else [given]


def _name_of(one: Any) -> str | None:
    name = one.partition(":")[0] if isinstance(one, str) else None
    if isinstance(one, Mapping):
        name = one.get("name")
    return name.strip().casefold() if isinstance(name, str) else None


def _table(number: int, one: Any) -> dict[str, Any]:
    if isinstance(one, CheckRule):
        return one.model_dump()
    if isinstance(one, str):
        name, colon, rule = one.partition(":")
        if not colon:
            raise ValueError(f"{one[:80]!r} has no name: {_FORM}")
        one = {"name": name, "rule": rule}
    if not isinstance(one, Mapping):
        raise ValueError(f"rule {number} must be a table [[check]] or a text: {_FORM}")
    return _checked(number, one)


def _checked(number: int, table: Mapping[str, Any]) -> dict[str, Any]:
    known = list(CheckRule.model_fields)
    where = f"rule {number}"
    for key in table:
        if key not in known:
            raise ValueError(f"{where}: unknown key {key!r}{nearest(str(key), known)}")
    made = {key: value for key, value in table.items() if value is not None}
    for key, value in made.items():
        if not isinstance(value, str) or not value.strip():
            raise ValueError(f"{where}: {key} must be a text that is not empty")
        made[key] = value.strip()
    for key in ("name", "rule"):
        if key not in made:
            raise ValueError(f"{where}: {key} is missing")
    _check_name(made["name"])
    _check_action(made["name"], made.get("on_fail", "retry"), get_args(OnFail))
    return made


def _check_name(name: str) -> None:
    if len(name) > _LONGEST_NAME or not name.isprintable() or any(c in name for c in ":;,"):
        raise ValueError(
            f"the name {name[:80]!r} cannot be used: up to {_LONGEST_NAME} characters on one line, "
            "without : ; and ,"
        )


def _check_action(name: str, action: str, known: Sequence[str]) -> None:
    if action not in known:
        raise ValueError(
            f"{name}: on_fail must be {', '.join(map(repr, known))}{nearest(action, known)} "
            f"(got {action[:80]!r})"
        )
