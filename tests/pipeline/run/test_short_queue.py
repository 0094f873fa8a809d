"""A short queue between two threads: nothing is lost, nothing overtakes, and it stays short."""

import threading
import time

from llmbatch.pipeline.run.short_queue import ShortQueue

PATIENCE = 30.0


def test_nothing_comes_of_an_empty_one() -> None:
    assert ShortQueue[int](2).get(0) is None
    assert ShortQueue[int](2).get(0.01) is None


def test_a_full_one_takes_no_more_until_something_is_taken() -> None:
    items = ShortQueue[int](2)
    assert [items.put(number, 0.01) for number in range(4)] == [True, True, False, False]
    assert items.get(0) == 0
    assert items.put(4, 0.01)
    assert not items.put(5, 0.01)
    assert [items.get(0) for _ in range(3)] == [1, 4, None]


def test_who_waits_for_room_goes_on_once_there_is_some() -> None:
    items = ShortQueue[int](1)
    items.put(1, 0)
    items._has_room.set()
    waited: list[bool] = []
    waiting = threading.Thread(target=lambda: waited.append(items.put(2, PATIENCE)))
    waiting.start()
    while items._has_room.is_set():
        time.sleep(0.001)
    began = time.monotonic()
    assert items.get(0) == 1
    assert items.get(PATIENCE) == 2
    waiting.join(PATIENCE)
    assert waited == [True]
    assert time.monotonic() - began < PATIENCE / 2


def test_all_arrive_in_their_order_and_few_wait() -> None:
    items, count, most = ShortQueue[int](8), 20_000, 0

    def put() -> None:
        for number in range(count):
            while not items.put(number, 0.05):
                pass

    threading.Thread(target=put).start()
    for number in range(count):
        most = max(most, items._items.qsize())
        assert items.get(PATIENCE) == number
    assert most <= 8
