"""A job that lives through nights, each of which changes something, beside one that is made anew.

What a run finds out of the runs before (`store/known`, `carrying`, `proven_output`, flags) may cost
less, and may change nothing: after each night the output, the error file, the plan, the flags, the
figures and the exit code are those of a store that was made of the same input by the same answers.
"""

import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.cli.nights import steps
from tests.cli.nights.given import STATE, Walk
from tests.cli.nights.job import write
from tests.cli.nights.left import differences, left
from tests.crash.tracer import At, Tracer


def nights(
    seed: int,
    count: int,
    folder: Path,
    forks: Tracer,
    tell: Callable[[str], None] = lambda _: None,
    first: Sequence[Sequence[steps.Step]] = (),
) -> None:
    """Live through nights, and fail after the first that leaves something else than a new job.
    `first`: what happens before the first ones, each of which is compared."""
    walk = Walk(random.Random(seed), folder / "nightly")
    walk.folder.mkdir(parents=True)
    history: list[str] = []
    for night in range(count):
        is_given = night < len(first)
        happened = [step(walk) for step in first[night]] if is_given else steps.some(walk)
        history.append(f"{night}: {'; '.join(happened)}")
        tell(history[-1])
        arguments = write(walk, walk.folder)
        code, error = _night(walk, arguments, forks, history)
        walk.is_fresh = False
        if not is_given and night < count - 1 and walk.chance.random() < 0.4:
            continue
        fresh = folder / f"fresh{night}"
        fresh.mkdir()
        write(walk, fresh)
        again = forks.run(arguments, fresh, traced=False)
        if again.code not in (0, 3):
            assert code == again.code, "\n".join([*history, again.stderr])
            history.append(f"    refused: {again.stderr.splitlines()[-1]}")
            tell(history[-1])
            continue
        output = str(walk.settings["output"])
        found = differences(left(walk.folder, output, code), left(fresh, output, again.code))
        told = [f"seed {seed}, nightly | fresh", *history, *(error.splitlines()[-1:]), *found]
        assert not found, "\n".join(told)
        shutil.rmtree(fresh)


def _night(walk: Walk, arguments: list[str], forks: Tracer, history: list[str]) -> tuple[int, str]:
    """One night: perhaps a run that is killed, and one that comes to its end."""
    chance, more = walk.chance, ["--fresh"] if walk.is_fresh else []
    if walk.is_retried and (walk.folder / STATE).exists():
        history.append(f"    retry: {forks.run(['retry', STATE], walk.folder, traced=False).code}")
    walk.is_retried = False
    if not more and chance.random() < 0.35:
        kill = At(chance.randint(1, 60), after=chance.random() < 0.5)
        done = forks.run(arguments, walk.folder, at=kill)
        history.append(f"    killed at {kill.number}: {done.struck}")
    if not more and chance.random() < 0.15:
        done = forks.run([*arguments, "--max-rows", "2"], walk.folder, traced=False)
        history.append(f"    --max-rows 2: {done.code}")
    done = forks.run([*arguments, *more], walk.folder, traced=False)
    assert "Traceback" not in done.stderr, "\n".join([*history, done.stderr])
    return done.code, done.stderr
