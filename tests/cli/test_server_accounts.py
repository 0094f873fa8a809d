"""Tokens and money of runs over servers: as the servers tell them."""

import pytest

from tests.cli.command import QuickJob
from tests.servers.process import ServerProcess, serving


def arguments(server: ServerProcess, *more: str) -> list[str]:
    usual = ["in.csv", "-o", "out.jsonl", "-m", "scripted", "-p", "Say {{ text }}"]
    return ["run", *usual, "--engine", "openai", "--base-url", server.url, *more]


def test_cached_tokens_are_counted_and_cost_their_own_price(quick: QuickJob) -> None:
    with serving(usage="full", engine={"cached_words": 1}) as server:
        done = quick.command(*arguments(server, "--price-per-million", "10/100/1"))
    assert done.code == 0
    used = quick.report()["all_runs"]
    # Say hello, Say good day, Say bye: seven words, of which one in each was cached.
    assert (used["prompt_tokens"], used["cached_tokens"], used["output_tokens"]) == (7, 3, 6)
    money = quick.report()["all_costs"]
    assert money["physical"] == pytest.approx((4 * 10 + 3 * 1 + 6 * 100) / 1e6)
    assert "3 served by the prefix cache" in quick.command("report", "out.llmbatch").stdout


def test_cached_tokens_that_no_server_tells_are_no_zero(quick: QuickJob) -> None:
    with serving(usage="plain") as server:
        assert quick.command(*arguments(server)).code == 0
    said = "served by the prefix cache: not told by the servers"
    assert said in quick.command("report", "out.llmbatch").stdout
    told = quick.command("report", "out.llmbatch", "--format", "markdown").stdout
    assert "not told by the servers" in told


def test_a_budget_ends_a_run_over_servers(quick: QuickJob) -> None:
    rows = "".join(f"{number},row {number}\n" for number in range(400))
    quick.write("in.csv", f"id,text\n{rows}")
    # Three words and two: 0.05 for each row.
    budget = ("--price-per-million", "10000/10000", "--max-cost", "2")
    with serving(usage="plain", latency=0.01) as server:
        done = quick.command(
            *arguments(server, *budget, "--engine-arg", "max_concurrency=4"),
        )
    assert done.code == 4
    used = quick.report()["all_runs"]
    spent = (used["prompt_tokens"] + used["output_tokens"]) / 100
    assert spent == pytest.approx(quick.report()["all_costs"]["physical"])
    assert 1.4 < spent <= 2.5


def test_a_plan_without_a_tokenizer_has_an_interval(quick: QuickJob) -> None:
    rows = "".join(f"{number},a parcel is late again {number}\n" for number in range(100))
    quick.write("in.csv", f"id,text\n{rows}")
    with serving() as server:
        run = arguments(server, "--price-per-million", "1/2")
        before = quick.command("plan", *run[1:]).stdout
        after = quick.command("plan", *run[1:], "--sample", "20").stdout
    assert "by their size: a token of 4 bytes" in before
    # Each has seven words, and a sample of them says so.
    assert "from 20 requests" in after
    assert "about 560 (" in after
