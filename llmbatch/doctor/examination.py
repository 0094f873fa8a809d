"""All that was found on this machine, as a value, as words and as JSON."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmbatch.core.version import VERSION
from llmbatch.doctor import machine, model, software
from llmbatch.doctor.finding import Finding
from llmbatch.sizing.device import Device

FORMAT_VERSION = 1
_MARKS = {"ok": "  ", "note": "- ", "bad": "X "}


@dataclass(frozen=True, slots=True)
class Examination:
    """`findings` in the order in which they are shown."""

    findings: Sequence[Finding]

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
        yield from self._verdict()

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
        }


def examine(name: str | None, device: Device | None, folder: Path) -> Examination:
    """Look at this machine. `name`: of a model, if one is asked about; `device`: another one to
    think of; `folder`: where jobs would be written. Raises UsageError for a model that is not
    there."""
    about_model = [] if name is None else list(model.look(name, device))
    findings = list(software.look())
    if not any(one.name == "vLLM" and one.state == "bad" for one in findings):
        findings.append(software.try_import()[0])
    findings += software.environment()
    findings += machine.look(folder)
    return Examination([*findings, *about_model])
