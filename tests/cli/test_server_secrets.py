"""Keys of servers: from the environment only, and in nothing that a run writes or says."""

import pytest

from tests.cli.command import QuickJob

PLANTED = "sk-PLANTED-4711"


def assert_in_no_file(job: QuickJob) -> None:
    """No file of the job's folder holds the key, in any name or content."""
    found = [
        path
        for path in job.folder.rglob("*")
        if PLANTED in path.name or (path.is_file() and PLANTED.encode() in path.read_bytes())
    ]
    assert found == []


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--base-url", f"https://me:{PLANTED}@h/v1"), "--api-key-env NAME"),
        (("--base-url", f"https://h/v1?api_key={PLANTED}"), "--api-key-env NAME"),
        (("--base-url", "https://h/v1", "--api-key-env", PLANTED), "not the key itself"),
        (("--engine-arg", f"api-key={PLANTED}"), "--api-key-env NAME"),
    ],
)
def test_a_key_on_the_command_line_is_refused_and_not_repeated(
    quick: QuickJob, flags: tuple[str, ...], words: str
) -> None:
    usual = ("run", "in.csv", "-o", "out.jsonl", "-m", "m", "-p", "Say {{ text }}", "-vv")
    done = quick.command(*usual, "--engine", "openai", *flags)
    assert done.code == 2
    assert words in done.error
    assert PLANTED not in done.stderr + done.stdout
    assert_in_no_file(quick)


@pytest.mark.parametrize("is_stage", [False, True])
def test_a_key_in_a_job_file_is_refused_and_not_repeated(quick: QuickJob, is_stage: bool) -> None:
    secret = f'base_url = "https://me:{PLANTED}@h/v1"'
    models = 'model = "m"'
    if is_stage:
        models = f'[[model]]\nmodel = "a"\n[[model]]\nmodel = "b"\nengine = {{ {secret} }}'
    engine = '[engine]\nname = "openai"\n' + ("" if is_stage else secret)
    lines = [
        'input = "in.csv"',
        'output = "out.jsonl"',
        'prompt = "Say {{ text }}"',
        models,
        engine,
    ]
    path = quick.write("job.toml", "\n".join(lines))
    done = quick.command("run", "job.toml", "-vv")
    path.unlink()
    assert done.code == 2
    assert "--api-key-env NAME" in done.error
    assert PLANTED not in done.stderr + done.stdout
    assert_in_no_file(quick)
