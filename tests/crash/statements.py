"""A kill at the n-th statement that a run sends to its store, from outside of the product."""

import os
import signal
from collections.abc import Callable
from functools import wraps
from typing import Any

from llmbatch.store.database import Database


def kill_at(number: int, only: str, moment: str) -> None:
    """From now on the `number`-th statement that begins with `only` is where this process dies.

    `moment`: "before" it is sent, or "after" it was done.
    """
    sent = 0

    def counted(method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def wrapper(self: Database, sql: str, *more: Any) -> Any:
            nonlocal sent
            due = sql.lstrip().startswith(only)
            sent += due
            die = due and sent == number
            if die and moment == "before":
                os.kill(os.getpid(), signal.SIGKILL)
            result = method(self, sql, *more)
            if die:
                os.kill(os.getpid(), signal.SIGKILL)
            return result

        return wrapper

    for name in ("execute", "mappings", "columns", "arrow", "insert"):
        setattr(Database, name, counted(getattr(Database, name)))


def die_in(seconds: float) -> None:
    """This process dies at that moment, wherever it is then."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, seconds)
