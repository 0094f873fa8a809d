"""The prompts that may wait in the engine, by the tokens that the cache will not have."""

import random
from collections.abc import Sequence

from llmbatch.engines.vllm.waiting import MOST, Room, Waiting
from llmbatch.estimate.prefix_cache import Cache, simulate

BLOCK = 16
SYSTEM = list(range(1075))


def prompts(count: int) -> list[list[int]]:
    """One long beginning, and an end of one's own: 95 % is shared."""
    return [[*SYSTEM, *range(5000 + number, 5055 + number)] for number in range(count)]


def sent(room: Room, queue: Sequence[Sequence[int]]) -> int:
    """The number of these that are sent before there is no more room."""
    waiting = Waiting(room)
    for number, tokens in enumerate(queue):
        if not waiting.has_room():
            return number
        waiting.add(str(number), tokens)
    return len(queue)


def test_what_neighbours_share_takes_no_room() -> None:
    queue = prompts(600)
    whole, by_blocks = Room(32_768, 16_384), Room(32_768, 16_384, BLOCK)
    assert sent(whole, queue) == 29
    # 1,072 of 1,130 tokens are in whole blocks that the one before has, too.
    assert sent(by_blocks, queue) == 1 + -(-(16_384 - 1130) // 58)


def test_no_fewer_wait_than_fill_the_cache() -> None:
    queue = [list(range(number, number + 100)) for number in range(0, 10**6, 100)]
    assert sent(Room(50_000, 16_384, BLOCK), queue) == 500


def test_prompts_that_are_nearly_all_cached_do_not_pile_up() -> None:
    queue = [[*range(100_000), number] for number in range(50)]
    assert sent(Room(1000, 50_000, BLOCK), queue) == 1
    assert sent(Room(1000, 200_000, BLOCK), queue) == -(-MOST // 100_001)


def test_room_is_given_back() -> None:
    waiting = Waiting(Room(10, 5, 4))
    for number in range(3):
        assert waiting.has_room()
        waiting.add(str(number), [1, 2, 3, 4, 5, 6])
        waiting.take(str(number))
        waiting.take(str(number))
    waiting.add("full", range(20))
    assert not waiting.has_room()
    waiting.take("full")
    assert waiting.has_room()


def test_each_adapter_has_a_cache_of_its_own() -> None:
    waiting, tokens = Waiting(Room(1, 2000, BLOCK)), SYSTEM
    waiting.add("a", tokens, "red")
    waiting.add("b", tokens, "red")
    assert waiting.has_room()
    waiting.add("c", tokens, "blue")
    assert not waiting.has_room()


def test_new_tokens_are_those_that_the_forecast_says_are_new() -> None:
    """Of a planned order, in which what is shared is shared with neighbours."""
    chance = random.Random(5)
    fields = [chance.choices(range(9), k=chance.randrange(1, 90)) for _ in range(8)]
    queue = sorted(
        [*chance.choice(fields), *chance.choice(fields), *chance.choices(range(9), k=20)]
        for _ in range(300)
    )
    waiting, counted = Waiting(Room(1, 1, BLOCK)), []
    for number, tokens in enumerate(queue):
        waiting.add("", tokens)
        counted.append(len(tokens) - waiting._new)
        waiting.take("")
        assert not waiting._new, number
    assert counted == simulate(queue, Cache(BLOCK), [1]).cached
    assert sum(counted) > 0


def test_room_of_an_engine() -> None:
    described = {"max_num_batched_tokens": 100, "kv_cache_tokens": 1000, "block_size": 32}
    assert Room.of(described | {"prefix_caching": True}) == Room(1000, 400, 32)
    assert Room.of(described | {"prefix_caching": False}) == Room(1000, 400, 0)
    small = described | {"kv_cache_tokens": 50, "prefix_caching": True}
    assert Room.of(small) == Room(400, 400, 32)
