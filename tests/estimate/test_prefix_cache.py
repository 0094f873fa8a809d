"""The play of vLLM's prefix cache."""

import random
import time
from itertools import cycle, islice

import pytest

from llmbatch.estimate.prefix_cache import Cache, simulate

SIZE = 4


def prompt(*blocks: str) -> list[int]:
    """Tokens: each letter is one."""
    return [ord(letter) for letter in "".join(blocks)]


def cached(prompts: list[list[int]], cache: Cache, answers: tuple[int, ...] = (1,)) -> list[int]:
    return simulate(prompts, cache, answers).cached


# One more than are used: vLLM never uses the first block.
@pytest.mark.parametrize("blocks", [None, 101])
@pytest.mark.parametrize("answers", [(1,), (9, 2)])
def test_whole_blocks_from_the_start_are_shared(
    blocks: int | None, answers: tuple[int, ...]
) -> None:
    prompts = [
        prompt("aaaa", "bbbb", "cc"),
        prompt("aaaa", "bbbb", "dd"),
        prompt("aaaa", "bbb"),
        prompt("xaaa", "bbbb", "cc"),
        prompt("aaaa", "bbbb", "cccc", "d"),
        prompt("aaaa", "bbbb", "cccc", "e"),
    ]
    assert cached(prompts, Cache(SIZE, blocks), answers) == [0, 8, 4, 0, 8, 12]


@pytest.mark.parametrize("blocks", [None, 101])
def test_the_last_token_of_a_prompt_is_always_computed(blocks: int | None) -> None:
    prompts = [prompt("aaaa", "bbbb")] * 3 + [prompt("aaaa", "bbbb", "c")]
    assert cached(prompts, Cache(SIZE, blocks)) == [0, 4, 4, 8]


def test_the_same_block_after_another_beginning_is_another_one() -> None:
    prompts = [prompt("aaaa", "bbbb", "x"), prompt("cccc", "bbbb", "x")]
    assert cached(prompts, Cache(SIZE)) == [0, 0]


def test_what_was_used_longest_ago_is_lost_first() -> None:
    first, second, third = (prompt(letter * 4, "x") for letter in "abc")
    # Four blocks, two for each prompt, one at a time: the third takes the place of the first.
    cache = Cache(SIZE, 5, max_num_seqs=1)
    assert cached([first, second, second, third, second], cache) == [0, 0, 4, 0, 4]
    hits = simulate([first, second, third, first], cache, [1])
    assert hits.cached == [0, 0, 0, 4]  # blocks that are not full are taken before
    assert hits.full_at is None
    fourth = [prompt(letter * 4, "x") for letter in "abcd"]
    hits = simulate([*fourth, first, fourth[3]], cache, [1])
    assert (hits.cached, hits.full_at) == ([0, 0, 0, 0, 0, 4], 3)


def test_the_end_of_a_prompt_is_lost_before_its_beginning() -> None:
    long = prompt("aaaa", "bbbb", "cccc", "x")
    cache = Cache(SIZE, 5, max_num_seqs=1)
    assert cached([long, prompt("zzzz", "y"), long], cache)[2] == 8


def test_running_requests_keep_their_blocks_from_each_other() -> None:
    prompts = [prompt(letter * 4, "x") for letter in "abcabc"]
    assert sum(cached(prompts, Cache(SIZE, 7, max_num_seqs=1))) == 12
    # Two at a time that answer at length leave too little for a third beginning.
    assert sum(cached(prompts, Cache(SIZE, 7, max_num_seqs=2), (8,))) < 12


def test_a_beginning_is_shared_from_the_moment_it_is_scheduled() -> None:
    prompts = [prompt("aaaa", "bbbb", letter) for letter in "klmnop"]
    cache = Cache(SIZE, 101, max_num_seqs=6, max_batched_tokens=1_000)
    assert cached(prompts, cache) == [0] + [8] * 5


def test_a_prompt_that_never_fits_holds_nothing_up() -> None:
    prompts = [prompt("aaaa", "b"), prompt("x" * 400), prompt("aaaa", "c")]
    assert cached(prompts, Cache(SIZE, 5)) == [0, 0, 4]


@pytest.mark.parametrize("answers", [(3,), (90,), (500, 1)])
def test_answers_that_outgrow_the_cache_end_all_the_same(answers: tuple[int, ...]) -> None:
    prompts = [prompt("aaaa", "bbbb", chr(200 + n)) for n in range(30)]
    for blocks in (6, 9, 40):
        found = cached(prompts, Cache(SIZE, blocks, max_num_seqs=8), answers)
        assert found[0] == 0
        assert max(found) == 8


def test_a_small_budget_of_tokens_delays_and_loses_nothing() -> None:
    prompts = [prompt("abcd" * 30, chr(200 + n)) for n in range(50)]
    cache = Cache(SIZE, 200, max_num_seqs=8, max_batched_tokens=32)
    assert cached(prompts, cache, (4, 1)) == [0] + [120] * 49


def test_a_cache_that_holds_all_is_as_good_as_one_without_limit() -> None:
    chance = random.Random(1)
    heads = [[chance.randrange(9) for _ in range(40)] for _ in range(9)]
    prompts = [
        chance.choice(heads)[: chance.randrange(1, 41)]
        + [chance.randrange(9) for _ in range(chance.randrange(1, 20))]
        for _ in range(300)
    ]
    unlimited = cached(prompts, Cache(SIZE))
    assert sum(unlimited) > 0
    assert cached(prompts, Cache(SIZE, 20_001, max_num_seqs=7), (5, 1, 30)) == unlimited


def test_more_blocks_never_serve_less_of_sorted_prompts() -> None:
    chance = random.Random(2)
    heads = [[chance.randrange(99) for _ in range(40)] for _ in range(20)]
    prompts = sorted(
        head + [chance.randrange(99) for _ in range(6)] for head in islice(cycle(heads), 400)
    )
    sums = [sum(cached(prompts, Cache(SIZE, blocks, 4))) for blocks in (60, 120, 400)]
    assert sums == sorted(sums)
    assert sums[-1] == 380 * 40


def test_thousands_of_requests_take_no_time() -> None:
    chance = random.Random(3)
    prompts = [[chance.randrange(700) for _ in range(320)] for _ in range(4_000)]
    began = time.perf_counter()
    simulate(prompts, Cache(16, 2_000, 64, 8_192), [16])
    assert time.perf_counter() - began < 5  # 0.3 s on an idle core
