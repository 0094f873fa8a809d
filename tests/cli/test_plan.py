"""`llmbatch plan` and the prefix cache: what is predicted, what is assumed, what is advised."""

import csv
import io
import json
from typing import Any

import duckdb
import pytest

from tests.cli.command import Job, QuickJob

PRODUCTS = [f"{name} " * 30 for name in ("lamp", "desk", "sofa", "shelf")]


def table(rows: int, products: list[str] = PRODUCTS) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["id", "text", "product"])
    for number in range(rows):
        product = products[number % len(products)]
        writer.writerow([number, f"{number} is the number of this ticket", product])
    return text.getvalue()


@pytest.fixture
def job(quick: QuickJob) -> QuickJob:
    quick.write("in.csv", table(200))
    return quick


def planned(job: Job, *flags: str, engine: str = "") -> dict[str, Any]:
    done = job.command("plan", *job.arguments(*flags, engine=engine)[1:], "--format", "json")
    assert (done.code, done.stderr) == (0, "")
    seen: dict[str, Any] = json.loads(done.stdout)["prefix_cache"]
    return seen


def text(job: Job, *flags: str, engine: str = "") -> list[str]:
    done = job.command("plan", *job.arguments(*flags, engine=engine)[1:])
    assert (done.code, done.stderr) == (0, "")
    return done.stdout.splitlines()


GOOD = ("-p", "{{ product }} {{ text }}")
BAD = ("-p", "{{ text }} {{ product }}")


def test_it_shows_what_the_planned_order_gains(job: QuickJob) -> None:
    # A cache for one product and a half, and one request at a time.
    small = "block_size=10 kv_cache_blocks=7 slots=1"
    assert job.run(*GOOD, "--max-rows", "1", engine=small).code == 4
    seen = planned(job, *GOOD, engine=small)
    # 199 prompts of 37 words are left; each product is computed once, or every time.
    assert seen["planned"]["prompt_tokens"] == 199 * 37
    assert seen["planned"]["cached_tokens"] == 195 * 30
    assert seen["as_input"]["cached_tokens"] == 0
    assert seen["planned"]["source"] == "as the job's last engine"
    lines = text(job, *GOOD, engine=small)
    assert "tokens    7,363 in the prompts" in lines
    hits = "79.5 % of them are predicted to be prefix-cache hits; in input order 0.0 %"
    assert f"cache     {hits}" in lines
    (line,) = (line for line in lines if " at a time, answers" in line)
    assert "(as the job's last engine: 7 blocks, 10 tokens in a block" in line
    assert not any(line.startswith("advice") for line in lines)


def test_it_advises_to_move_a_placeholder(job: QuickJob) -> None:
    lines = text(job, *BAD)
    advised = lines.index(
        "advice    put {{ product }} before {{ text }}: prefix-cache hits 0.0 % -> 42.4 % "
        "(predicted),"
    )
    assert lines[advised + 1].startswith(
        "          4,264 prompt tokens to compute instead of 7,400"
    )


def test_before_any_start_it_says_what_it_assumes(job: QuickJob) -> None:
    seen = planned(job, *GOOD)
    assert seen["planned"]["source"] == "assumed"
    assert seen["planned"]["cache_blocks"] is None
    assert any("(assumed: no limit, 16 tokens in a block" in line for line in text(job, *GOOD))


def test_of_many_rows_it_looks_at_a_sample(job: QuickJob) -> None:
    job.write("in.csv", table(6_000))
    lines = text(job, *GOOD)
    assert "tokens    222,000 in the prompts" in lines  # these few are all tokenised
    (line,) = (line for line in lines if line.startswith("cache"))
    assert "at least 43.2 % of them" in line
    assert line.endswith("(from 4,000 requests)")
    seen = planned(job, *BAD)
    assert seen["advice"]["looked_at"] == 4_000
    assert seen["advice"]["tokens_now"] == 222_000
    assert any("(predicted from 4,000 requests)" in line for line in text(job, *BAD))


def test_the_order_of_fields_counts_as_gained(job: QuickJob) -> None:
    seen = planned(job, "-p", "{{ record }}")
    assert seen["as_input"]["hits"] == 0
    assert seen["planned"]["hits"] > 0.3


def test_what_is_settled_is_not_forecast(job: QuickJob) -> None:
    assert job.run("-q", *GOOD).code == 0
    assert planned(job, *GOOD)["unknown"] == "there is nothing to do"
    assert "tokens    unknown: there is nothing to do" in text(job, *GOOD)


def test_rows_that_the_template_fails_for_are_left_out(job: QuickJob) -> None:
    job.write("in.csv", table(10))
    seen = planned(job, "-p", "{{ product }} {{ 1 / (id|int - 3) }} {{ text }}")
    assert seen["planned"]["requests"] == seen["as_input"]["requests"] == 9


def test_the_forecast_of_a_run_is_what_the_plan_said(job: QuickJob) -> None:
    small = "block_size=10 kv_cache_blocks=7 slots=1"
    assert job.run(*GOOD, "--max-rows", "1", engine=small).code == 4
    said = planned(job, *GOOD, engine=small)["planned"]
    assert job.run("-q", *GOOD, engine=small).code == 0

    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{job.state}/job.duckdb' AS job (READ_ONLY)")
        kept = [
            json.loads(kept)
            for (kept,) in connection.execute("SELECT forecast FROM job.forecasts").fetchall()
        ]
    assert kept[-1] | {"source": ""} == said | {"source": ""}


def test_plan_says_why_a_template_fails(quick: QuickJob) -> None:
    quick.write("in.csv", "Order ID,a\n1,2\n")
    done = quick.command("plan", *quick.arguments("-p", '{{ a }} {{ row["Order Id"] }}')[1:])
    assert done.code == 0
    assert "0 with a request + 1 that cannot be asked" in done.stdout
    assert "failing   prompt: " in done.stdout
    assert "Order Id" in done.stdout
