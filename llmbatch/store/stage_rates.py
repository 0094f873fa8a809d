"""The shares of rows that went on from the stages of a cascade."""

from llmbatch.store import statements
from llmbatch.store.database import Database


def escalated(db: Database) -> dict[int, float]:
    """By stage, from 0: the share of all rows with a request that went on from it."""
    return dict(db.execute(statements.load("cascade.sql")["escalated_shares"]))
