"""The options of the engine `openai`, given as `--engine-arg name=value`."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from llmbatch.core.errors import UsageError, nearest
from llmbatch.core.option_name import plain_name
from llmbatch.engines.http.trust import Trust

MIB = 2**20
DIALECTS = ("auto", "vllm", "openai")
LENGTH_FIELDS = ("max_tokens", "max_completion_tokens")


@dataclass(frozen=True)
class HttpOptions:
    """The options, checked. Times are in seconds.

    `dialect`: what the servers understand beside OpenAI's own fields; auto: they are asked.
    `takes`: further fields that servers take which are no vLLM, such as top_k, with commas between.
    `length_field`: the name of the limit of an answer.
    `timeout`: of a whole answer (0: four fifths of the run's `stall_timeout`); `patience`: with
    no server at all, until the engine gives up.
    `max_concurrency`: requests that a server gets at once at most.
    `ca_file`, `plain_http`, `redirects`, `proxy`: see `trust.Trust`.
    """

    dialect: str = field(default="auto", metadata={"one_of": DIALECTS})
    takes: str = ""
    length_field: str = field(default="max_tokens", metadata={"one_of": LENGTH_FIELDS})
    timeout: float = field(default=0.0, metadata={"least": 0.0})
    connect_timeout: float = field(default=10.0, metadata={"least": 0.01})
    patience: float = field(default=120.0, metadata={"least": 0.0})
    max_concurrency: int = field(default=512, metadata={"least": 1})
    max_answer_mib: int = field(default=64, metadata={"least": 1})
    ca_file: str = ""
    plain_http: bool = False
    redirects: bool = False
    proxy: str = ""

    @property
    def trust(self) -> Trust:
        return Trust(self.ca_file, self.plain_http, self.redirects, self.proxy)

    @property
    def extra_fields(self) -> list[str]:
        """The names in `takes`."""
        return [name for each in self.takes.split(",") if (name := plain_name(each.strip()))]


def check(given: Mapping[str, Any]) -> HttpOptions:
    """The options of an engine, as the user wrote them. Raises UsageError."""
    known = {each.name: each for each in fields(HttpOptions)}
    values: dict[str, Any] = {}
    for written, value in given.items():
        name = plain_name(written)
        if name not in known:
            raise UsageError(
                f"engine option {written!r}: unknown{nearest(name, known)}; "
                f"`--engine openai` has: {', '.join(known)}"
            )
        values[name] = _value(written, value, type(known[name].default), known[name].metadata)
    return HttpOptions(**values)


def _value(written: str, value: Any, kind: type, limits: Mapping[str, Any]) -> Any:
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
    fits = isinstance(value, kind) or (kind is float and isinstance(value, int))
    if not fits or (isinstance(value, bool) and kind is not bool):
        raise UsageError(f"engine option {written!r}: must be {words[kind]} (got {value!r})")
    if "one_of" in limits and value not in limits["one_of"]:
        choices = limits["one_of"]
        hint = nearest(value, choices)
        raise UsageError(
            f"engine option {written!r}: must be one of {', '.join(choices)}{hint} (got {value!r})"
        )
    if "least" in limits and value < limits["least"]:
        least = limits["least"]
        raise UsageError(f"engine option {written!r}: must be {least:g} or more (got {value!r})")
    return kind(value)
