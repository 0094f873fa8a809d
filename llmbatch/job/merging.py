"""The merging of a job file with flags, which win."""

from collections.abc import Mapping
from typing import Any

from llmbatch.job import checks

_FORMS = {"choice", "schema", "regex"}
_LABELS = {"labels", "label", "descriptions"}


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """The table `base` with the values of `over` in it."""
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        if isinstance(below, dict) and isinstance(value, dict):
            if key == "answer" and not _FORMS.isdisjoint(value):
                # A constraint given by flag replaces the file's, of any kind.
                below = {name: below[name] for name in below.keys() - _FORMS}
            if key == "classify" and not _LABELS.isdisjoint(value):
                # So do labels.
                below = {name: below[name] for name in below if name not in _LABELS}
            merged[key] = merge(below, value)
        elif key == "check" and below is not None:
            merged[key] = checks.merged(below, value)
        else:
            merged[key] = value
    return merged
