"""The table [score]: the two texts of a pair, and which of the scored rows are written."""

from llmbatch.job.fields import Section, neutral, rendered


class ScoreSpec(Section):
    """The pairs that are scored, and the best of them. Which rows are written changes no score."""

    query: str | None = rendered(
        None, "Jinja2 template of the first text of a pair. @FILE reads it.", min_length=1
    )
    document: str | None = rendered(
        None, "Jinja2 template of its second text. @FILE reads it.", min_length=1
    )
    top: int | None = neutral(
        None,
        "Write only so many rows of each group, those with the highest scores, with their rank; "
        "of equal ones the first. All are answered.",
        by_default="all rows",
        ge=1,
        lt=2**31,
    )
    group_by: str | None = neutral(
        None,
        "Column whose value makes a group of rows, which are ranked.",
        by_default="rows with the same query",
        min_length=1,
    )
