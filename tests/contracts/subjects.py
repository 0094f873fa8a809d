"""The engines under test, and what each knows beyond what the contract asks of all."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from llmbatch.core.records import Constraint
from llmbatch.engines.base import Engine
from llmbatch.engines.config import EngineConfig
from tests.engines.vllm import session

NO_OPTIONS: Mapping[str, Any] = {}


@dataclass(frozen=True)
class Case:
    """Something that an engine does with these options of its own, at requests of this text."""

    text: str = "row"
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Knows:
    """Knowledge that one engine has and another may not; by default none beyond the contract.

    `fields`: of its EngineInfo, which are not None; `context`: its max_model_len; `encodes`: the
    tokens of a prompt before it is answered; `steps`: it has some and counts them; `constraints`:
    it keeps those of every kind; `repeats`: a request has the same answer again; `refuses`: of the
    bad requests of the suite those that it notices. `misspelt` and `unreadable`: options, the first
    with the name that it takes it for. `unanswerable`: options and constraint for which `check`
    refuses all requests. `losing`, `held`, `slow`: how to have it lose a part of itself, be held
    back for a moment, and work for seconds; None: not here.
    """

    fields: frozenset[str] = frozenset()
    context: int | None = None
    encodes: bool = False
    steps: bool = False
    constraints: bool = False
    repeats: bool = False
    refuses: frozenset[str] = frozenset()
    misspelt: tuple[str, str] | None = None
    unreadable: Mapping[str, Any] = field(default_factory=dict)
    unanswerable: tuple[Mapping[str, Any], Constraint | None] | None = None
    losing: Case | None = None
    held: Case | None = None
    slow: Case | None = None


@dataclass(frozen=True)
class Subject:
    """An engine under test: running, and how to make others like it. `window`: its own; `alike`:
    another configuration that cannot change an answer; `other`: one that can."""

    running: Engine
    create: Callable[[EngineConfig], Engine]
    config: EngineConfig
    window: int
    alike: EngineConfig
    other: EngineConfig
    knows: Knows

    def configured(self, options: Mapping[str, Any]) -> EngineConfig:
        return with_options(self.config, options)


def with_options(config: EngineConfig, options: Mapping[str, Any]) -> EngineConfig:
    return replace(config, options={**config.options, **options})


CONTEXT = 256
_FIELDS = {"name", "version", "device", "dtype", "model", "parallelism", "window", "max_model_len"}
_ALL_BAD = {
    "negative_temperature",
    "top_p_above_1",
    "too_long",
    "negative_seed",
    "bad_regex",
    "dangling_ref",
}
_KNOWS_ITSELF = Knows(
    fields=frozenset(_FIELDS),
    context=CONTEXT,
    encodes=True,
    steps=True,
    constraints=True,
    repeats=True,
    refuses=frozenset(_ALL_BAD),
    misspelt=("max_modle_len", "max_model_len"),
    unreadable={"max_model_len": "many"},
)
SCRIPTED = replace(
    _KNOWS_ITSELF,
    unanswerable=({"refuse": True}, None),
    losing=Case("LOSE_ONCE:3"),
    held=Case(options={"held_back": 0.05}),
    slow=Case(options={"delay": 0.01}),
)
# A hold of a moment is over when a replica replies: see tests/engines/replicas/test_fleet.py.
REPLICAS = replace(SCRIPTED, held=None)
VLLM = replace(
    _KNOWS_ITSELF,
    unanswerable=(NO_OPTIONS, Constraint("regex", "(?=b)a")),
)
MINIMAL = Knows(
    fields=frozenset({"name"}),
    repeats=True,
    refuses=frozenset({"bad_regex", "dangling_ref"}),
    unanswerable=(NO_OPTIONS, Constraint("regex", "a+")),
    losing=Case("LOSE"),
    held=Case("WAIT"),
    slow=Case("WAIT"),
)
OPENAI = replace(
    _KNOWS_ITSELF,
    fields=frozenset({"name", "version", "model", "window", "max_model_len"}),
    encodes=False,
    steps=False,
    misspelt=("max_concurency", "max_concurrency"),
    unreadable={"max_concurrency": "many"},
    unanswerable=(NO_OPTIONS, Constraint("regex", "(?=b)a")),
    held=Case("HOLD"),
    slow=Case("STALL"),
)

KNOWN = {
    "scripted": SCRIPTED,
    "minimal": MINIMAL,
    "openai": OPENAI,
    "replicas": REPLICAS,
    "vllm": VLLM,
    "vllm_public": VLLM,
    "ray": SCRIPTED,
}
"""By the name of the fixture that starts the engine (see `conftest`)."""
MARKS = dict.fromkeys(("vllm", "vllm_public"), session.needs_vllm)
