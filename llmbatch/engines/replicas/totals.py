"""The figures of all replicas as those of one engine."""

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from typing import TypeVar

from llmbatch.engines.base import Telemetry
from llmbatch.engines.info import EngineInfo
from llmbatch.engines.replicas.member import Member
from llmbatch.sizing.device import Device
from llmbatch.sizing.settings import EngineSettings


def telemetry(members: Sequence[Member], idle_seconds: float) -> Telemetry:
    """The counters of all replicas and of their former incarnations, and their load: what runs and
    waits in all, the mean use of their caches, and held back only where all are.

    `idle_seconds`: by the fleet, because a replica also waits between runs."""
    ready = [member for member in members if member.is_ready]
    flying = sum(member.flying for member in members)
    running = min(flying, sum(member.telemetry.running for member in ready))
    usage = [member.telemetry.cache_usage for member in ready]
    holds = [member.telemetry.held_back_until for member in ready if member.flying]
    known = [until for until in holds if until is not None]
    lives = [each for member in members for each in (member.past, member.telemetry)]
    counted = reduce(lambda past, now: now.after(past), lives, Telemetry())
    return replace(
        counted,
        running=running,
        waiting=flying - running,
        cache_usage=sum(usage) / len(usage) if usage else 0.0,
        held_back_until=min(known) if known and len(known) == len(holds) else None,
        idle_seconds=idle_seconds,
    )


_SETTINGS = ("max_num_seqs", "max_num_batched_tokens", "kv_cache_blocks", "kv_cache_tokens")
_OWN = ("window", "weight_bytes")
S = TypeVar("S", bound=EngineSettings)


def _times(one: S, replicas: int, names: Sequence[str]) -> S:
    """So many of what there is, as far as it is known."""
    known = {name: getattr(one, name) for name in names}
    return replace(
        one, **{name: replicas * value for name, value in known.items() if value is not None}
    )


def settings(one: EngineSettings, replicas: int) -> EngineSettings:
    """The settings of so many engines like one."""
    return _times(one, replicas, _SETTINGS)


def description(one: EngineInfo, replicas: int) -> EngineInfo:
    """The properties of so many engines like one."""
    parallelism = {**(one.parallelism or {}), "replicas": replicas}
    found = replace(one, parallelism=parallelism, hardware=devices(one.hardware, replicas))
    return _times(found, replicas, (*_SETTINGS, *_OWN))


def devices(one: Device | None, replicas: int) -> Device | None:
    """The devices of so many engines. Lists of cores are parts of one CPU."""
    if one is None or one.kind == "cpu":
        return one
    return replace(one, count=one.count * replicas)
