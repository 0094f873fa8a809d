"""The choice of a member for a request, over simulated members with a window each."""

import random
from collections import Counter, defaultdict, deque

import pytest

from llmbatch.core import clock
from llmbatch.core.records import Message, Request, Sampling
from llmbatch.engines.routing import SPREAD, WORTH, Filling, Router, shared_prefix

SAMPLING = Sampling()
TEMPLATE = "Answer the question about the text in one word. " * 12


def request(text: str, adapter: str | None = None) -> Request:
    messages = (Message("system", TEMPLATE), Message("user", text))
    return Request(f"{hash(text):032x}", messages, SAMPLING, adapter=adapter)


def of_documents(documents: int, questions: int) -> list[Request]:
    """Requests in the order of their texts: each document with some questions."""
    texts = sorted(
        f"{random.Random(one).randrange(10**9):09d} is the document. " * 40 + f"Question {two:03d}?"
        for one in range(documents)
        for two in range(questions)
    )
    return [request(text) for text in texts]


class Members:
    """Members with a window, each of which ends its oldest request first. `speed`: how many
    requests each ends in a turn."""

    def __init__(self, window: int, speed: list[int]) -> None:
        self.router = Router()
        self.filling = Filling()
        self.window = window
        self.speed = speed
        self.in_flight: list[deque[Request]] = [deque() for _ in speed]
        self.sent: dict[int, list[Request]] = defaultdict(list)

    def room(self) -> dict[int, int]:
        free = {at: self.window - len(flying) for at, flying in enumerate(self.in_flight)}
        return self.filling.offered(free, dict.fromkeys(free, self.window))

    def answer(self, requests: list[Request]) -> None:
        for one in requests:
            while not (room := self.room()):
                self.turn()
            member = self.router.choose(one, room)
            assert member in room
            self.in_flight[member].append(one)
            self.sent[member].append(one)

    def turn(self) -> None:
        for flying, speed in zip(self.in_flight, self.speed, strict=True):
            for _ in range(min(speed, len(flying))):
                flying.popleft()

    def places(self) -> Counter[int]:
        """The number of documents by how many members have seen them."""
        seen = defaultdict(set)
        for member, requests in self.sent.items():
            for one in requests:
                seen[one.messages[1].content[:60]].add(member)
        return Counter(len(members) for members in seen.values())


def test_requests_that_share_a_prefix_stay_on_one_member() -> None:
    members = Members(256, [4, 4, 4])
    members.answer(of_documents(120, 20))
    places = members.places()
    assert places[1] >= 0.75 * 120
    assert places[3] <= 0.05 * 120
    counts = [len(members.sent[at]) for at in range(3)]
    assert min(counts) > 0.8 * max(counts)


def test_a_group_that_fills_its_member_spreads_and_then_uses_all() -> None:
    members = Members(16, [2, 2])
    members.answer(of_documents(1, 200))
    counts = [len(members.sent[at]) for at in range(2)]
    assert sum(counts) == 200
    assert min(counts) >= 90


def test_a_job_smaller_than_a_window_is_divided_evenly() -> None:
    members = Members(512, [8, 8])
    members.answer(of_documents(1, 100))
    assert abs(len(members.sent[0]) - len(members.sent[1])) <= SPREAD


def test_a_member_is_offered_when_a_part_is_free_and_until_it_is_full() -> None:
    filling, windows = Filling(), {0: 8, 1: 8}
    assert filling.offered({0: 8, 1: 1}, windows) == {0: 8}
    assert filling.offered({0: 1, 1: 1}, windows) == {0: 1}
    assert filling.offered({0: 0, 1: 1}, windows) == {}
    assert filling.offered({0: 1, 1: 2}, windows) == {1: 2}
    assert Filling().offered({0: 1}, {0: 2}) == {0: 1}


def test_members_that_are_fast_get_more() -> None:
    members = Members(16, [6, 2])
    members.answer(of_documents(50, 20))
    assert len(members.sent[0]) > 2 * len(members.sent[1])


def test_unlike_requests_go_where_most_room_is() -> None:
    router = Router()
    texts = [Request(f"{n:032x}", (Message("user", f"{n} " * 40),), SAMPLING) for n in range(4)]
    assert router.choose(texts[0], {0: 1, 1: 5, 2: 3}) == 1
    assert router.choose(texts[1], {0: 1, 1: 4, 2: 5}) == 2
    assert router.choose(texts[2], {0: 9, 1: 4, 2: 5}) == 0


def test_what_only_shares_the_template_does_not_cling_to_a_member() -> None:
    router = Router()
    ones = of_documents(3, 1)
    assert router.choose(ones[0], {0: 64, 1: 64}) == 0
    assert router.choose(ones[1], {0: 63, 1: 64}) == 0  # the template is there, and has room
    assert router.choose(ones[2], {0: 64 - SPREAD, 1: 64}) == 1  # and now it is at both


def test_a_member_that_lost_its_cache_is_chosen_by_room_alone() -> None:
    router = Router()
    first, second, third = of_documents(1, 3)
    router.choose(first, {0: 64, 1: 63})
    assert router.choose(second, {0: 60, 1: 63}) == 0
    router.forget(0)
    assert router.choose(third, {0: 59, 1: 63}) == 1


def test_a_prefix_is_not_shared_with_another_adapter() -> None:
    assert shared_prefix(request("a"), request("b")) == len(TEMPLATE)
    assert shared_prefix(request("a"), request("b", "adapter")) == 0


@pytest.mark.parametrize("length", [0, 1, 63, 64, 65, 200, 1000, 4095, 4096])
def test_a_shared_prefix_is_exact_to_a_step(length: int) -> None:
    base = "".join(random.Random(1).choices("abcdefgh", k=5000))
    one = Request("1", (Message("user", base),), SAMPLING)
    other = Request("2", (Message("user", base[:length] + "#" + base),), SAMPLING)
    assert length - 64 < shared_prefix(one, other) <= length
    assert WORTH > 64


def test_a_choice_takes_microseconds() -> None:
    router, requests = Router(), of_documents(20, 50)
    room = dict.fromkeys(range(8), 64)
    began = clock.seconds()
    for one in requests:
        router.choose(one, room)
    assert (clock.seconds() - began) / len(requests) < 100e-6
