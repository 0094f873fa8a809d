"""A comparison as one HTML file that needs nothing else."""

from llmbatch.reports import comparison_words as words
from llmbatch.reports.comparison import Comparison
from llmbatch.reports.html.job import page


def render(given: Comparison) -> str:
    """The page. All that comes from the sides is data to it, never markup."""
    return page(
        "comparison.html.jinja",
        title="comparison",
        heading=words.heading(given),
        first=list(words.lines(given)),
        tables=words.tables(given),
    )
