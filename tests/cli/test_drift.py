"""Changes of the input are told before anything is computed, and stop a job that says so."""

import json
import random

from tests.cli.command import Job


def write(job: Job, night: int, *teams: str) -> None:
    rng = random.Random(night)
    lines = (f"{night}-{row},{rng.choice(('billing', 'refunds', *teams))}" for row in range(120))
    job.write("in.csv", "\n".join(["id,text", *lines]) + "\n")


def test_a_new_category_is_told_by_plan_and_run_and_stops(job: Job) -> None:
    for night in (1, 2):
        write(job, night)
        done = job.run("--id-column", "id", "--max-drift", "none")
        assert (done.code, "drift" in done.stderr) == (0, False)
    before = (job.folder / "out.jsonl").read_bytes()
    write(job, 3, "returns")
    change = "column 'text': new value: 'returns' (3"
    flags = job.arguments("--id-column", "id", "--format", "json")[1:]
    plan = json.loads(job.command("plan", *flags).stdout)["drift"]
    assert (plan["inputs"], plan["level"]) == (2, "large")
    refused = job.run("--id-column", "id", "--max-drift", "moderate")
    assert refused.code == 2
    assert change in refused.error
    assert (job.folder / "out.jsonl").read_bytes() == before
    done = job.run("--id-column", "id")
    assert done.code == 0
    assert f"warning: drift of the input: {change}" in done.stderr
