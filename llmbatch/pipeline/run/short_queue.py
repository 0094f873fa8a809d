"""A short queue from one thread to another, for things that come by the ten thousand a second.

Python's `queue.Queue` takes several locks of its own for each of them. This one looks at its length
only, and waits where it is full, which is rare.
"""

import queue
import threading
from typing import Generic, TypeVar

Item = TypeVar("Item")


class ShortQueue(Generic[Item]):
    """Of `most` items at most. For one thread that puts and one that gets."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._items: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self._has_room = threading.Event()

    def put(self, item: Item, timeout: float) -> bool:
        """Add an item; False if there was no room for it within `timeout` seconds."""
        if self._items.qsize() >= self._most:
            self._has_room.clear()
            # Looked at again: what was taken before the line above has told nobody.
            if self._items.qsize() >= self._most and not self._has_room.wait(timeout):
                return False
        self._items.put(item)
        return True

    def get(self, timeout: float) -> Item | None:
        """The next item, or None if there is none within `timeout` seconds."""
        try:
            item = self._items.get(timeout=timeout)
        except queue.Empty:
            return None
        if not self._has_room.is_set() and self._items.qsize() < self._most:
            self._has_room.set()
        return item
