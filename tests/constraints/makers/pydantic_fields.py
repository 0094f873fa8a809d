"""Field types of Pydantic v2, and the schemas of models that have one field of such a type."""

# ruff: noqa: UP007, UP045 - Optional and Union are among the types that are tried

import uuid
from collections import OrderedDict, deque
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Optional, Union

import pydantic
from pydantic import BaseModel, ConfigDict, Field, RootModel
from typing_extensions import TypedDict


class Color(Enum):
    RED = "red"
    BLUE = 'bl"ue'


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Inner(BaseModel):
    """A model within."""

    name: str
    size: int | None = None


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Field(min_length=1)]


class Loose(BaseModel):
    model_config = ConfigDict(extra="allow")
    name: str


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    bark: str


class Child(Inner):
    extra: bool


class Tree(BaseModel):
    name: str
    children: "list[Tree]" = []


class Pair(NamedTuple):
    left: str
    right: int


class Typed(TypedDict, total=False):
    a: str
    b: int


@dataclass
class Data:
    a: str
    b: int = 0


class Names(RootModel[list[str]]):
    pass


TYPES: dict[str, Any] = {
    "str": str,
    "int": int,
    "float": float,
    "bool": bool,
    "None": None,
    "Any": Any,
    "bytes": bytes,
    "date": date,
    "datetime": datetime,
    "time": time,
    "timedelta": timedelta,
    "Decimal": Decimal,
    "UUID": uuid.UUID,
    "UUID4": pydantic.UUID4,
    "Path": Path,
    "FilePath": pydantic.FilePath,
    "IPv4Address": IPv4Address,
    "IPv6Address": IPv6Address,
    "IPv4Network": IPv4Network,
    "IPv6Network": IPv6Network,
    "IPvAnyAddress": pydantic.IPvAnyAddress,
    "HttpUrl": pydantic.HttpUrl,
    "AnyUrl": pydantic.AnyUrl,
    "FileUrl": pydantic.FileUrl,
    "PostgresDsn": pydantic.PostgresDsn,
    "SecretStr": pydantic.SecretStr,
    "SecretBytes": pydantic.SecretBytes,
    "Base64Str": pydantic.Base64Str,
    "Base64Bytes": pydantic.Base64Bytes,
    "Json": pydantic.Json[Any],  # type: ignore[misc]
    "JsonValue": pydantic.JsonValue,
    "ByteSize": pydantic.ByteSize,
    "PastDate": pydantic.PastDate,
    "FutureDatetime": pydantic.FutureDatetime,
    "AwareDatetime": pydantic.AwareDatetime,
    "NaiveDatetime": pydantic.NaiveDatetime,
    "PositiveInt": pydantic.PositiveInt,
    "NegativeInt": pydantic.NegativeInt,
    "NonNegativeInt": pydantic.NonNegativeInt,
    "PositiveFloat": pydantic.PositiveFloat,
    "NonNegativeFloat": pydantic.NonNegativeFloat,
    "NegativeFloat": pydantic.NegativeFloat,
    "FiniteFloat": pydantic.FiniteFloat,
    "StrictStr": pydantic.StrictStr,
    "StrictInt": pydantic.StrictInt,
    "conint": Annotated[int, Field(ge=1, le=5)],
    "conint_open": Annotated[int, Field(gt=0, lt=100)],
    "conint_multiple": Annotated[int, Field(multiple_of=5)],
    "confloat": Annotated[float, Field(ge=0, le=1)],
    "confloat_open": Annotated[float, Field(gt=0.5, lt=2.25)],
    "confloat_multiple": Annotated[float, Field(multiple_of=0.01)],
    "condecimal": Annotated[Decimal, Field(max_digits=6, decimal_places=2)],
    "condecimal_range": Annotated[Decimal, Field(ge=0, le=100)],
    "constr_min": Annotated[str, Field(min_length=1)],
    "constr_max": Annotated[str, Field(max_length=10)],
    "constr_both": Annotated[str, Field(min_length=2, max_length=4)],
    "constr_pattern": Annotated[str, Field(pattern=r"^[A-Z]{3}-\d+$")],
    "constr_open": Annotated[str, Field(pattern=r"^ORD-")],
    "constr_anywhere": Annotated[str, Field(pattern=r"[0-9]{3}")],
    "constr_pattern_max": Annotated[str, Field(pattern=r"^[a-z]+$", max_length=5)],
    "Literal": Literal["a", "b"],
    "Literal_one": Literal["only"],
    "Literal_mixed": Literal["a", 1, True],
    "Enum": Color,
    "IntEnum": Level,
    "Optional_str": Optional[str],
    "Optional_int": Optional[int],
    "Optional_Enum": Optional[Color],
    "Optional_model": Optional[Inner],
    "Optional_constr": Optional[Annotated[str, Field(min_length=1, max_length=3)]],
    "Union": Union[int, str],
    "Union_models": Union[Cat, Dog],
    "discriminated": Annotated[Union[Cat, Dog], Field(discriminator="kind")],
    "list": list[str],
    "list_any": list,
    "list_int": list[int],
    "list_bounds": Annotated[list[int], Field(min_length=1, max_length=3)],
    "list_models": list[Inner],
    "set": set[str],
    "set_int": set[int],
    "frozenset": frozenset[str],
    "deque": deque[int],
    "tuple": tuple[str, int],
    "tuple_any_length": tuple[int, ...],
    "NamedTuple": Pair,
    "dict": dict[str, int],
    "dict_any": dict,
    "dict_list": dict[str, list[str]],
    "dict_enum_keys": dict[Color, int],
    "dict_pattern_keys": dict[Annotated[str, Field(pattern="^[a-z]+$")], int],
    "dict_bounds": Annotated[dict[str, int], Field(min_length=1, max_length=2)],
    "OrderedDict": OrderedDict[str, int],
    "TypedDict": Typed,
    "dataclass": Data,
    "model": Inner,
    "model_strict": Strict,
    "model_loose": Loose,
    "model_child": Child,
    "model_recursive": Tree,
    "RootModel": Names,
    "described": Annotated[str, Field(description="the name")],
    "described_model": Annotated[Inner, Field(description="the inner one")],
}


def schemas() -> dict[str, dict[str, Any]]:
    """The schema of a model with a field `value`, for each type."""
    made = {}
    for name, kind in TYPES.items():
        model = pydantic.create_model("Answer", value=(kind, ...))
        made[f"pydantic {name}"] = model.model_json_schema()
    return made
