"""The short form of `make test-crash`, with the scripted engine."""

from pathlib import Path

from tests.crash import jobs, sigkill


def test_kills_at_random_moments_do_not_show_in_the_output(tmp_path: Path) -> None:
    job = jobs.scripted(tmp_path, rows=1500, delay=0.002)
    reference, killed = tmp_path / "reference/out.jsonl", tmp_path / "killed/out.jsonl"
    result = sigkill.torment(job, reference, killed, kills=5, seed=7)
    print(sigkill.summary(result, rows=1500))
    assert result.problems == []
    assert len(result.kills) >= 3
    assert "generating" in {kill.phase for kill in result.kills}
    # Every fate is among the rows that were compared.
    errors = killed.with_name("out.errors.jsonl").read_text()
    assert all(
        f'"kind":"{kind}"' in errors for kind in ("refused_request", "truncated", "rejected")
    )
