"""The report as JSON, for machines."""

import orjson

from llmbatch.reports.report import Report


def render(report: Report) -> str:
    """Indented JSON; times are UTC. When its `version` changes: see `reports.schema`."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC
    return orjson.dumps(report, option=options).decode() + "\n"
