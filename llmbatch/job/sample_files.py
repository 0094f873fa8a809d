"""The sample jobs and the demonstration model that come with the package."""

from pathlib import Path

_PACKAGE = Path(__file__).parents[1]


def folder() -> Path:
    """Those of an installed llmbatch, or of the checkout that it runs from."""
    installed = _PACKAGE / "samples"
    return installed if installed.is_dir() else _PACKAGE.parent / "samples"
