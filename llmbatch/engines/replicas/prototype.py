"""An engine that is never started, and answers what is asked of a fleet before its start."""

from collections.abc import Sequence
from typing import Any

from llmbatch.core.records import Constraint, Message, Sampling
from llmbatch.engines import base
from llmbatch.engines.base import Engine, KnowsModel
from llmbatch.engines.config import EngineConfig
from llmbatch.engines.grammar_plan import GrammarPlan
from llmbatch.engines.pooling import Pooling, pooling_of
from llmbatch.engines.replicas import totals
from llmbatch.engines.speculates import draft_tokens_of
from llmbatch.engines.takes_adapters import TakesAdapters
from llmbatch.sizing.device import Device
from llmbatch.sizing.dimensions import Shape
from llmbatch.sizing.settings import EngineSettings


class AskedOfPrototype:
    """The part of a fleet that is asked before its start: one answers for all."""

    def __init__(self, prototype: Engine, config: EngineConfig, replicas: int) -> None:
        self._prototype = prototype
        self._config = config
        self._replicas = replicas

    def identity(self) -> dict[str, str]:
        return self._prototype.identity()

    def check(self, sampling: Sampling, constraint: Constraint | None) -> None:
        self._prototype.check(sampling, constraint)

    def check_ahead(self, sampling: Sampling, constraint: Constraint | None) -> None:
        base.check_ahead(self._prototype, sampling, constraint)

    def encode(self, messages: Sequence[Message]) -> Sequence[int] | None:
        return self._prototype.encode(messages)

    def notices(self) -> list[str]:
        return base.notices_of(self._prototype)

    def grammar(self, constraint: Constraint) -> GrammarPlan | None:
        return base.grammar_of(self._prototype, constraint)

    def pooling(self) -> Pooling | None:
        return pooling_of(self._prototype)

    def draft_tokens(self) -> int:
        return draft_tokens_of(self._prototype)

    def settings_before_start(self) -> EngineSettings:
        one = base.settings_before_start(self._prototype, self._config.options)
        return totals.settings(one, self._replicas)

    def shape(self) -> Shape | None:
        known = self._prototype
        return known.shape() if isinstance(known, KnowsModel) else None

    def weight_bytes(self) -> int | None:
        known = self._prototype
        one = known.weight_bytes() if isinstance(known, KnowsModel) else None
        return None if one is None else self._replicas * one

    def device(self) -> Device | None:
        known = self._prototype
        one = known.device() if isinstance(known, KnowsModel) else None
        return totals.devices(one, self._replicas)

    def control_tokens(self) -> Sequence[str] | None:
        return base.control_tokens_of(self._prototype)

    def try_chats(self, chats: Sequence[Sequence[Message]]) -> list[str]:
        return base.try_chats(self._prototype, chats)

    def why_not_encoded(self) -> str | None:
        return base.why_not_encoded(self._prototype)

    def takes_adapters(self) -> bool:
        # A built-in engine does not say so.
        known: Any = self._prototype
        return known.takes_adapters() if isinstance(known, TakesAdapters) else True
