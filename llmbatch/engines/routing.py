"""The choice of the member (a replica, a server) that answers a request.

Requests arrive in planned order, in which those that share a prefix follow each other. The prefix
cache of a member spares what it has computed, so such a group stays on one member; but a prefix
that is computed on several costs little where many requests share it, and a member that waits
costs much. So a group spreads as soon as its members are full, or have got `SPREAD` requests more
than one that has nothing to do.
"""

from collections.abc import Mapping

from llmbatch.core.records import Request

WORTH = 256
"""Characters of a shared prefix from which on it decides: a few blocks of a prefix cache."""
SPREAD = 16
"""Requests more in flight than at the emptiest member, at most, while that has slots to spare."""
_STEP = 64


class Filling:
    """Offers a member anew only once a part of its window is free, and then until it is full.

    Members that are offered each place as it becomes free take turns with single requests, and tear
    every group apart. An engine whose window is twice what it runs at once has enough to do
    meanwhile; `part` is a quarter of the window."""

    def __init__(self, part: float = 0.25) -> None:
        self._part = part
        self._filling: set[int] = set()

    def offered(self, room: Mapping[int, int], windows: Mapping[int, int]) -> dict[int, int]:
        """The members that are to get requests now, with their room. `windows`: by member."""
        found = {}
        for member, window in windows.items():
            free = room.get(member, 0)
            if free <= 0:
                self._filling.discard(member)
            elif member in self._filling or free >= self._part * window:
                self._filling.add(member)
                found[member] = free
        return found


class Router:
    """Chooses a member for one request after the other. Quick: no text is kept but the last one."""

    def __init__(self) -> None:
        self._last: Request | None = None
        # By member: characters that the last request shares with the last one of the member, or
        # fewer: exact where requests come in the order of their texts.
        self._shared: dict[int, int] = {}
        # By member: the most room that it ever had, which is about its window.
        self._window: dict[int, int] = {}

    def choose(self, request: Request, room: Mapping[int, int]) -> int:
        """The number of the member for this request. `room`: free places by member, each above 0;
        not empty. The request counts as sent there."""
        self._move_to(request)
        if len(room) == 1:
            (chosen,) = room
        else:
            chosen = self._chosen(room)
        self._shared[chosen] = _length(request)
        return chosen

    def forget(self, member: int) -> None:
        """Note that a member has lost its cache: it was started again, or is gone."""
        self._shared.pop(member, None)
        self._window.pop(member, None)

    def _move_to(self, request: Request) -> None:
        """Let the shared prefixes be those with this request."""
        common = 0 if self._last is None else shared_prefix(self._last, request)
        for member, shared in self._shared.items():
            if shared > common:
                self._shared[member] = common
        self._last = request

    def _chosen(self, room: Mapping[int, int]) -> int:
        windows, shared = self._window, self._shared
        emptiest, longest = -1, 0
        for member, free in room.items():
            if free > windows.get(member, 0):
                windows[member] = free
            if emptiest < 0 or free > room[emptiest]:
                emptiest = member
            longest = max(longest, shared.get(member, 0))
        if longest < WORTH:
            return emptiest
        enough = longest - WORTH + 1
        home = max((one for one in room if shared.get(one, 0) >= enough), key=room.__getitem__)
        window = windows[emptiest]
        is_half_empty = 2 * room[emptiest] > window
        most = max(1, min(SPREAD, window // 4))
        return emptiest if is_half_empty and room[emptiest] - room[home] >= most else home


def shared_prefix(one: Request, other: Request) -> int:
    """The number of characters with which the messages of both begin, but for less than `_STEP` at
    the end; 0 where other adapters answer them, whose caches differ."""
    if one.adapter != other.adapter:
        return 0
    shared = 0
    for first, second in zip(one.messages, other.messages, strict=False):
        if first.role != second.role:
            break
        if first.content != second.content:
            return shared + _common(first.content, second.content)
        shared += len(first.content)
    return shared


def _common(one: str, other: str) -> int:
    """A length with which both texts begin alike, found by halving."""
    low, high = 0, min(len(one), len(other)) // _STEP + 1
    while high - low > 1:
        middle = (low + high) // 2
        at = low * _STEP
        if one.startswith(other[at : middle * _STEP], at):
            low = middle
        else:
            high = middle
    return low * _STEP


def _length(request: Request) -> int:
    return sum(len(message.content) for message in request.messages)
