"""The early beginning of an engine: as soon as a run will hardly end without one, and only then."""

from pathlib import Path

import pytest

from llmbatch.cli import narration
from llmbatch.engines.config import EngineConfig
from llmbatch.pipeline.run import execute, preflight
from tests import scripted_engine, workbench
from tests.scripted_engine import ScriptedEngine

seen: list[str] = []


class Early(ScriptedEngine):
    def begin_early(self) -> None:
        seen.append("begun")

    def end_early(self) -> None:
        seen.append("ended")


def create(config: EngineConfig) -> ScriptedEngine:
    return Early(config, scripted_engine.options_of(config))


class Told(narration.Silent):
    def phase(self, text: str) -> None:
        seen.append(text)


def began(
    folder: Path, *, fresh: bool = False, more: str = "", prompt: str = "{{ t }}"
) -> list[str]:
    """The order of the beginnings and the phases around them."""
    seen.clear()
    spec = workbench.two_rows(folder, prompt=prompt, engine={"name": f"{__name__}:create"})
    with Path(spec.input.files[0]).open("a") as file:
        file.write(more)
    result = execute.execute(preflight.make_ready(spec), Told(), fresh=fresh)
    assert result.exit_code == 0
    kept = ("begun", "ended", "reading the input", "planning")
    return [each for each in seen if each in kept]


@pytest.mark.parametrize("fresh", [False, True])
def test_a_first_or_fresh_run_begins_before_it_reads(tmp_path: Path, fresh: bool) -> None:
    for _ in range(2 if fresh else 1):
        found = began(tmp_path, fresh=fresh)
        # Once more by the check of the engine, which is the same beginning.
        assert found == ["begun", "reading the input", "planning", "begun", "ended"]


def test_a_run_without_news_begins_nothing(tmp_path: Path) -> None:
    began(tmp_path)
    assert began(tmp_path) == ["reading the input", "planning", "ended"]


def test_an_input_with_news_is_enough(tmp_path: Path) -> None:
    began(tmp_path)
    found = began(tmp_path, more='{"t": "c"}\n')
    assert found == ["reading the input", "begun", "planning", "begun", "ended"]


def test_another_prompt_begins_once_it_is_planned(tmp_path: Path) -> None:
    began(tmp_path)
    found = began(tmp_path, prompt="Other: {{ t }}")
    assert found == ["reading the input", "planning", "begun", "ended"]


def test_a_run_that_fails_ends_it(tmp_path: Path) -> None:
    seen.clear()
    spec = workbench.two_rows(
        tmp_path, prompt="{{ absent }}", engine={"name": f"{__name__}:create"}
    )
    with pytest.raises(Exception, match="absent"):
        execute.execute(preflight.make_ready(spec), Told())
    assert [each for each in seen if each in ("begun", "ended")] == ["begun", "ended"]
