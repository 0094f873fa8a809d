"""The declarations of the package: its extras, its classifiers, and links of its page."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_libraries_of_extras_are_no_dependencies() -> None:
    needed = {re.split(r"[><=\[; ]", line)[0] for line in PROJECT["dependencies"]}
    for extra in PROJECT["optional-dependencies"].keys() - {"dev"}:
        named = PROJECT["optional-dependencies"][extra]
        assert needed.isdisjoint(re.split(r"[><=\[; ]", line)[0] for line in named), extra
    assert "matplotlib" in str(PROJECT["optional-dependencies"]["report"])


def test_every_extra_is_in_the_readme() -> None:
    for extra in PROJECT["optional-dependencies"].keys() - {"dev"}:
        assert f"llmbatch[{extra}]" in README, extra


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
def test_the_classifiers_name_each_python(version: str) -> None:
    assert f"Programming Language :: Python :: {version}" in PROJECT["classifiers"]


def test_links_of_the_readme_work_without_the_repository() -> None:
    """On a package index a link to a file of the repository leads nowhere."""
    links = re.findall(r"\]\(([^)]+)\)", README)
    assert links
    assert [link for link in links if not link.startswith(("https://", "#"))] == []
