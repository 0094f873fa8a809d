"""The job as its user declares it."""

import json
from collections.abc import Callable, Mapping
from math import prod
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    ValidationInfo,
    field_validator,
    model_validator,
)

from llmbatch.core.records import Constraint, Sampling
from llmbatch.job import stop_rules
from llmbatch.job.fields import Section, answer, neutral, rendered

# Seconds and sums that no clock and no sum of them runs over.
_LONGEST = 1e9
_MOST_MONEY = 1e15


def json_text(value: Any) -> str:
    """Compact JSON in which the order of keys counts: an answer follows its schema's order."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class SamplingSpec(Section):
    """How tokens are drawn."""

    temperature: float = answer(0.0, "0 is greedy", ge=0, le=2, allow_inf_nan=False)
    top_p: float = answer(1.0, "keep the likeliest tokens up to this mass", gt=0, le=1)
    top_k: int = answer(0, "keep this many of the likeliest tokens; 0 keeps all", ge=0, lt=2**31)
    min_p: float = answer(0.0, "drop tokens below this share of the likeliest", ge=0, le=1)
    max_tokens: int = answer(512, "longest answer, in tokens", ge=1, lt=2**31)
    seed: int | None = answer(None, "makes sampling repeatable", ge=0, lt=2**63)
    stop: tuple[str, ...] = answer((), "strings that end the answer")
    repetition_penalty: float = answer(1.0, "above 1 discourages repeats", gt=0, le=2)
    presence_penalty: float = answer(0.0, "above 0 favours new tokens", ge=-2, le=2)
    frequency_penalty: float = answer(0.0, "above 0 discourages frequent tokens", ge=-2, le=2)

    def to_sampling(self) -> Sampling:
        return Sampling(**self.model_dump())


class AnswerSpec(Section):
    """What an answer must look like: at most one of the three."""

    choice: tuple[str, ...] | None = answer(None, "the allowed answers", min_length=1)
    json_schema: dict[str, Any] | None = answer(None, "a JSON Schema", alias="schema")
    regex: str | None = answer(None, "a pattern for the whole answer", min_length=1)

    @model_validator(mode="after")
    def _at_most_one(self) -> "AnswerSpec":
        given = [self.choice, self.json_schema, self.regex]
        if sum(value is not None for value in given) > 1:
            raise ValueError("give at most one of choice, schema and regex")
        return self

    def to_constraint(self) -> Constraint | None:
        if self.choice is not None:
            return Constraint("choice", json_text(list(self.choice)))
        if self.json_schema is not None:
            return Constraint("json", json_text(self.json_schema))
        if self.regex is not None:
            return Constraint("regex", self.regex)
        return None


class EngineSpec(BaseModel):
    """The engine's name; every other key of the table is an option of the engine's own."""

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=())

    name: str = neutral("vllm", "vllm, or module:factory")

    @property
    def options(self) -> dict[str, Any]:
        return dict(self.model_extra or {})

    @property
    def devices(self) -> int:
        """How many devices the options name, however they are spelled; one if they name none."""
        return parallel(self.options)


def parallel(options: Mapping[str, Any]) -> int:
    """Over how many devices an engine with these options is spread."""
    named = {name.lstrip("-").replace("-", "_"): value for name, value in options.items()}
    sizes = (named.get(f"{kind}_parallel_size") for kind in ("tensor", "pipeline", "data"))
    return prod(size for size in sizes if isinstance(size, int) and size > 0)


class TokenPrice(Section):
    """What somebody asks for a million tokens; cached prompt tokens cost as others by default."""

    input: float = neutral(..., "a million prompt tokens", ge=0, le=_MOST_MONEY)
    output: float = neutral(..., "a million output tokens", ge=0, le=_MOST_MONEY)
    cached: float | None = neutral(None, "a million cached prompt tokens", ge=0, le=_MOST_MONEY)
    name: str | None = neutral(None, "whose price it is")

    def of(self, prompt: int, cached: int, output: int) -> float:
        """The price of so many tokens; the cached ones are part of the prompt's."""
        for_cached = self.input if self.cached is None else self.cached
        spent = (prompt - cached) * self.input + cached * for_cached + output * self.output
        return spent / 1_000_000


class CostSpec(Section):
    """What the device, or each token, costs; and who pays."""

    price_per_hour: float | None = neutral(
        None, "price of one device for one hour", ge=0, le=_MOST_MONEY
    )
    devices: int | None = neutral(
        None, "how many devices the engine uses; default: as its options say", ge=1, lt=2**31
    )
    currency: str = neutral("USD", "shown beside every amount")
    price_per_million: TokenPrice | None = neutral(
        None, "what an engine asks that is paid by the token: IN/OUT or IN/OUT/CACHED"
    )
    listed_price: TokenPrice | None = neutral(
        None, "somebody's price to compare with: IN/OUT or IN/OUT/CACHED"
    )
    attribute_by: tuple[str, ...] = neutral((), "columns by whose values the cost is divided")

    @field_validator("price_per_million", "listed_price", mode="before")
    @classmethod
    def _prices(cls, value: Any) -> Any:
        if isinstance(value, str):
            return _token_price(value)
        if value is not None and not isinstance(value, dict | TokenPrice):
            raise ValueError("write IN/OUT or IN/OUT/CACHED, or a table with input and output")
        return value

    @field_validator("attribute_by", mode="before")
    @classmethod
    def _columns(cls, value: Any) -> Any:
        if isinstance(value, str):
            value = [name.strip() for name in value.split(",") if name.strip()]
        if isinstance(value, list | tuple) and len(set(value)) < len(value):
            raise ValueError("names a column twice")
        return value

    @model_validator(mode="after")
    def _one_price(self) -> "CostSpec":
        if self.price_per_hour is not None and self.price_per_million is not None:
            raise ValueError(
                "price_per_hour and price_per_million are both given: devices are paid by the "
                "hour, or an engine by the token; give one of the two"
            )
        return self


def _token_price(text: str) -> dict[str, str]:
    """`0.15/0.60` or `0.15/0.60/0.075`, as the flag has it."""
    parts = text.split("/")
    if len(parts) not in (2, 3):
        raise ValueError("write IN/OUT or IN/OUT/CACHED, for a million tokens each: 0.15/0.60")
    return dict(zip(("input", "output", "cached"), parts, strict=False))


class RunSpec(Section):
    """How the work is cut and saved, what is tried again, and when to stop."""

    chunk_size: int = neutral(4096, "requests in a chunk", ge=1, lt=2**31)
    checkpoint_rows: int = neutral(256, "commit after this many outcomes", ge=1, lt=2**31)
    checkpoint_seconds: float = neutral(2.0, "commit after this many seconds", gt=0, le=3600)
    attempts: int = neutral(2, "tries of a request whose failure a retry may mend", ge=1, le=16)
    engine_restarts: int = neutral(5, "restarts in a row that bring nothing", ge=0, lt=2**31)
    stall_timeout: float = neutral(
        300.0, "seconds without progress: the engine hangs", gt=0, le=_LONGEST
    )
    grace: float = neutral(
        20.0, "seconds to finish what is in flight after a signal", ge=0, le=_LONGEST
    )
    deadline: str | None = neutral(None, "stop by this time of day, or after this duration")
    max_cost: float | None = neutral(None, "stop before a run costs more than this", gt=0)
    max_rows: int | None = neutral(None, "stop after sending this many requests", ge=1)
    max_failed: str | None = neutral(None, "failed rows that still count as success: 20 or 2%")
    fail_fast: str | None = neutral(None, "stop when more of the last outcomes failed: 50%/100")
    if_locked: Literal["fail", "skip", "wait"] = neutral("fail", "when another run holds the job")
    metrics_file: str | None = neutral(None, "Prometheus textfile, ending in .prom", min_length=1)

    reports: tuple[str, ...] = neutral((), "files for the report: .txt, .json, .md or .html")

    @field_validator("max_failed", mode="before")
    @classmethod
    def _number_or_share(cls, value: Any) -> Any:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @field_validator("deadline", "max_failed", "fail_fast")
    @classmethod
    def _can_be_read(cls, value: str | None, info: ValidationInfo) -> str | None:
        if value is not None:
            _READERS[str(info.field_name)](value)
        return value


_READERS: dict[str, Callable[[str], object]] = {
    "deadline": stop_rules.check_deadline,
    "max_failed": stop_rules.Tolerance.parse,
    "fail_fast": stop_rules.FailureRate.parse,
}


class JobSpec(Section):
    """One job: input, prompt, model, parameters, output."""

    input: str = neutral(..., "CSV or JSONL file, may be gzipped; - is stdin", min_length=1)
    input_format: Literal["csv", "tsv", "jsonl"] | None = neutral(None, "if the name does not say")
    id_column: str | None = neutral(None, "column that names a row; unique")
    output: str = neutral(..., "JSONL, CSV or Parquet file", min_length=1)
    state: str | None = neutral(None, "state folder; default: OUTPUT with the suffix .llmbatch")
    response_column: str = neutral("response", "column of the answer", min_length=1)
    meta: bool = neutral(False, "add finish reason, attempts and tokens to the output")
    model: str = neutral(..., "folder or name of the model; its identity is in the key")
    prompt: str = rendered(..., "Jinja2 template of the user message", min_length=1)
    system: str | None = rendered(None, "Jinja2 template of the system message")
    record_order: Literal["auto", "input"] | tuple[str, ...] = rendered(
        "auto", "order of the fields of {{ record }}: auto, input, or columns that come first"
    )
    # A copy that is computed by itself has a sample number of its own in its key.
    duplicates: Literal["auto", "once", "each"] = neutral(
        "auto", "compute equal requests once or each; auto: once unless tokens are drawn"
    )
    sampling: SamplingSpec = answer(SamplingSpec(), "how tokens are drawn")
    answer: AnswerSpec = answer(AnswerSpec(), "what an answer must look like")
    engine: EngineSpec = neutral(EngineSpec(), "the engine names what of it is in the key")
    cost: CostSpec = neutral(CostSpec(), "what the device costs")
    run: RunSpec = neutral(RunSpec(), "how the work is cut and saved")

    @property
    def devices(self) -> int:
        """How many devices are paid: as the job says, or else the engine's options."""
        return self.cost.devices or self.engine.devices

    @field_validator("record_order", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        """`a,b,c` as the flag has it; a name with a comma can stand in a list."""
        if isinstance(value, str) and value not in ("auto", "input"):
            value = [name.strip() for name in value.split(",")]
        if not isinstance(value, str | list | tuple) or not all(
            isinstance(name, str) and name for name in value
        ):
            raise ValueError("auto, input, or names of columns (a,b,c)")
        if len(set(value)) < len(value) and not isinstance(value, str):
            raise ValueError("names a column twice")
        return value
