"""The sign `one_label`: one label for everything. It is of the whole job, and flags no row."""

NAME = "one_label"
MEANING = "one label for nearly all rows"
FEWEST_ROWS = 50
THRESHOLD = "of 50 rows or more, a share of one_label_share or more have the same label"


def is_one(most: int, rows: int, share: float) -> bool:
    """True if so many rows have the most common label. `most`: those that have it, of `rows`."""
    return rows >= FEWEST_ROWS and most >= share * rows
