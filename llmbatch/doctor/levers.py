"""The levers of vLLM on this machine: refused, tried, or as the table says."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from llmbatch.core.units import count
from llmbatch.doctor import child
from llmbatch.engines.vllm import here
from llmbatch.engines.vllm.lever_table import DUMMY, GPU, LEVERS, Lever

Verdict = Literal["refused", "not tried", "runs", "fails"]
_PROGRAM = "llmbatch.engines.vllm.lever_trial"
_BINDING = "VLLM_CPU_OMP_THREADS_BIND"
BASE = "nothing changed"
"""The name under which that program tries an engine without a lever."""
IMPORT_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class LeverHere:
    """`words`: the verdict with its reason, or with what was seen, one line."""

    name: str
    setting: str
    verdict: Verdict
    words: str
    answers: str
    advice: str

    def to_json(self) -> dict[str, Any]:
        """As a flat table."""
        return asdict(self)


def look() -> list[LeverHere]:
    """Each lever as far as it is known without trying it."""
    machine = here.look()
    return [_untried(lever, machine) for lever in LEVERS]


def tried(
    model: str, seconds: float, tell: Callable[[str], None]
) -> tuple[list[LeverHere], str | None]:
    """Each lever, tried with a model where it is not refused; and the reason why not even an engine
    without one starts, None where it does. `seconds`: the most for each. `tell` shows progress."""
    machine = here.look()
    worth = [lever.name for lever in LEVERS if _is_worth_it(lever, machine)]
    tell(f"trying {count(len(worth), 'lever')}, an engine for each: minutes")
    results: dict[str, dict[str, Any]] = {}
    most = IMPORT_SECONDS + seconds * (len(worth) + 1)
    try:
        for line in child.lines(_PROGRAM, model, str(seconds), *worth, seconds=most):
            found = json.loads(line)
            results[found["name"]] = found
            tell(f"{found['name']}: {found.get('error') or 'runs'} ({found['seconds']} s)")
    except child.ChildError as error:
        results.setdefault(BASE, {"error": str(error)})
    base = results.get(BASE, {"error": "it was not tried"})
    rows = [_row(lever, machine, results, base) for lever in LEVERS]
    return rows, base.get("error")


def _is_worth_it(lever: Lever, machine: here.Here) -> bool:
    return lever.trial is not None and _refusal(lever, machine) is None


def _refusal(lever: Lever, machine: here.Here) -> str | None:
    """With the variables of its trial, which name cores for each part."""
    is_bound = machine.is_cpu and _BINDING in lever.environment
    return None if is_bound else lever.refusal(machine)


def _untried(lever: Lever, machine: here.Here) -> LeverHere:
    if (refusal := lever.refusal(machine)) is not None:
        return _made(lever, "refused", f"refused: {refusal}")
    known = _plain(lever.on_cpu) if machine.is_cpu else "not refused"
    return _made(lever, "not tried", f"{known} (not tried: --try)")


def _row(
    lever: Lever,
    machine: here.Here,
    results: Mapping[str, Mapping[str, Any]],
    base: Mapping[str, Any],
) -> LeverHere:
    found = results.get(lever.name)
    if found is None:
        if (refusal := lever.refusal(machine)) is not None:
            return _made(lever, "refused", f"refused: {refusal}")
        needs = "needs more than a model" if lever.trial is None else "the trials ended before it"
        return _made(lever, "not tried", f"not tried: {needs}")
    if "error" in found:
        return _made(lever, "fails", f"fails: {found['error']}")
    return _made(lever, "runs", f"runs ({', '.join(_seen(lever, found, base))})")


def _seen(lever: Lever, found: Mapping[str, Any], base: Mapping[str, Any]) -> Iterator[str]:
    if (lever.trial or {}).get("load_format") == DUMMY["load_format"]:
        yield "dummy weights"
    elif "texts" in base:
        yield _alike(found["texts"], base["texts"])
    if bound := lever.environment.get(_BINDING):
        yield f"with {_BINDING}={bound}"


def _alike(texts: Sequence[str], others: Iterable[str]) -> str:
    same = sum(one == other for one, other in zip(texts, others, strict=True))
    whole = count(len(texts), "answer")
    return "answers the same" if same == len(texts) else f"{same} of {whole} the same"


def _made(lever: Lever, verdict: Verdict, words: str) -> LeverHere:
    setting = ", ".join(lever.setting.splitlines())
    return LeverHere(lever.name, setting, verdict, words, lever.answers, _plain(lever.advice))


def _plain(markdown: str) -> str:
    return re.sub(r"[`*]", "", markdown.replace(GPU, "a GPU tells"))
