"""The forms in which a report can be had, and which of them a file is for."""

import re
from importlib import import_module
from pathlib import Path

from llmbatch.core.errors import UsageError
from llmbatch.reports.evaluation import EvaluationReport
from llmbatch.reports.folder import FolderReport
from llmbatch.reports.report import Report

_STYLES = {".txt": "text", ".json": "json", ".md": "markdown", ".html": "html"}
STYLES = tuple(_STYLES.values())

# How reports begin, of a job, of a folder, and of answers against gold.
_REPORT = re.compile(
    rb"[^\n]+ -> [^\n]+\n(  input +[^\n]+\n(    +[^\n]+\n)*)?  rows +[\d,]+ in = "  # text
    rb"|## [\d,]+ of [\d,]+ rows? answered\n"  # Markdown
    rb"|(## )?(no|[\d,]+) jobs? below "
    rb"|(## )?comparison: "
    rb"|(## )?[^\n]+: [\d,]+ of [\d,]+ gold rows? judged\n"
    rb"|<!doctype html>.*<title>[^<]*: llmbatch report</title>"
    rb'|\{\s*"version": \d+,\s*"(input|made_at|a|job)": '
    rb'|\{\s*"\$schema": "[^"]*",\s*"title": "[^"]*\bllmbatch\b',
    re.DOTALL,
)
_HEAD = 2**14


def style_of(path: Path) -> str:
    """The form that a file's suffix stands for. Raises UsageError for any other suffix."""
    style = _STYLES.get(path.suffix.lower())
    if style is None:
        known = ", ".join(_STYLES)
        raise UsageError(f"{path}: the name of a report ends in one of {known}")
    return style


def is_report(path: Path) -> bool:
    """True if the file holds a report in any form, or the schema of one."""
    with path.open("rb") as stream:
        return _REPORT.match(stream.read(_HEAD)) is not None


def render(report: Report | FolderReport | EvaluationReport, style: str) -> str:
    """The report of a job, of all jobs of a folder, or of answers against gold, in one of STYLES.

    Only its own renderer is loaded: that of the page draws figures.
    """
    subjects = {FolderReport: "folder", EvaluationReport: "evaluation"}
    subject = subjects.get(type(report), "job")
    module = style if style == "json" else f"{style}.{subject}"
    text: str = import_module(f"llmbatch.reports.{module}").render(report)
    return text
