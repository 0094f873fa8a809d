"""All that was found on this machine, as a value, as words and as JSON."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmbatch.core.version import VERSION
from llmbatch.doctor import levers, machine, model, software
from llmbatch.doctor.finding import Finding
from llmbatch.doctor.levers import LeverHere
from llmbatch.job import sample_files
from llmbatch.sizing.device import Device

FORMAT_VERSION = 1
_MARKS = {"ok": "  ", "note": "- ", "bad": "X "}


@dataclass(frozen=True, slots=True)
class Examination:
    """`findings` and `levers` in the order in which they are shown; no levers without vLLM."""

    findings: Sequence[Finding]
    levers: Sequence[LeverHere] = ()

    @property
    def is_fit(self) -> bool:
        """True if this machine can run jobs with an engine of its own."""
        return all(one.state != "bad" for one in self.findings)

    def lines(self) -> Iterator[str]:
        """For people."""
        width = max(len(one.name) for one in self.findings)
        for one in self.findings:
            yield f"{_MARKS[one.state]}{one.name:<{width}}  {one.found}"
            if one.advice is not None:
                yield f"  {'':<{width}}  -> {one.advice}"
        yield ""
        yield from self._table()
        yield from self._verdict()

    def _table(self) -> Iterator[str]:
        if not self.levers:
            return
        width = max(len(one.name) for one in self.levers)
        yield "Levers of vLLM on this machine:"
        for one in self.levers:
            yield f"  {one.name:<{width}}  {one.words}"
            yield f"  {'':<{width}}  -> {one.advice}"
        yield ""

    def _verdict(self) -> Iterator[str]:
        bad = [one.name for one in self.findings if one.state == "bad"]
        notes = sum(one.state == "note" for one in self.findings)
        if bad:
            yield f"jobs cannot run here as it is: {', '.join(dict.fromkeys(bad))} (X above)"
        else:
            yield "this machine can run jobs" + (
                " (- above: what could be better)" if notes else ""
            )

    def to_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "format_version": FORMAT_VERSION,
            "llmbatch": VERSION,
            "fit": self.is_fit,
            "findings": [one.to_json() for one in self.findings],
            "levers": [one.to_json() for one in self.levers],
        }


@dataclass(frozen=True, slots=True)
class Trials:
    """Levers are tried: `seconds` at most for each, `tell` shows progress."""

    seconds: float
    tell: Callable[[str], None]


def examine(
    name: str | None, device: Device | None, folder: Path, trials: Trials | None = None
) -> Examination:
    """Look at this machine. `name`: of a model, if one is asked about; `device`: another one to
    think of; `folder`: where jobs would be written; `trials`: None, and no engine is started.
    Raises UsageError for a model that is not there."""
    about_model = [] if name is None else list(model.look(name, device))
    findings = list(software.look())
    has_vllm = not any(one.name == "vLLM" and one.state == "bad" for one in findings)
    if has_vllm:
        findings.append(software.try_import()[0])
    findings += software.environment()
    findings += machine.look(folder)
    findings += about_model
    if not has_vllm:
        return Examination(findings)
    if trials is None:
        return Examination(findings, levers.look())
    used = name or str(sample_files.folder() / "model")
    rows, reason = levers.tried(used, trials.seconds, trials.tell)
    state = Finding("engine", f"starts and answers, with {used}")
    if reason is not None:
        state = Finding("engine", reason, "bad", "see the findings above; llmbatch run logs more")
    return Examination([*findings, state], rows)
