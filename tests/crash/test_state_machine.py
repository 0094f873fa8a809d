"""A job that is run, killed, stopped and edited in any order always does what its model says.

The scripted engine's answer depends on the messages and the seed only, so the model is a plain
dict from row to answer. CRASH_EXAMPLES sets how many histories are tried.
"""

import json
import os
import signal
import tempfile
from itertools import count
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from llmbatch.core.records import Message, Request, Sampling
from tests import scripted_answers
from tests.crash.states import State
from tests.crash.tracer import At, Trace, Tracer

LONG = "CRASH_EXAMPLES" in os.environ
EXAMPLES = int(os.environ.get("CRASH_EXAMPLES", "6"))
FAILURES = {"FAIL:refused_request": "refused_request", "LENGTH": "truncated"}

# Few of them, so that rows often ask the same.
texts = st.sampled_from(["a", "b", "c", "d", "e", *(f"bad {mark}" for mark in FAILURES)])
rows = st.lists(texts, min_size=1, max_size=12)
events = st.integers(1, 110)

Fate = tuple[str, str]
Answers = list[tuple[str, str]]


def fate(prompt: str, text: str) -> Fate:
    """The state that a row must reach."""
    for mark, kind in FAILURES.items():
        if mark in text:
            return "failed", kind
    request = Request("", (Message("user", f"{prompt} {text}"),), Sampling(), None)
    return "answered", scripted_answers.free_text(request)


class Job(RuleBasedStateMachine):
    """The job on the disk, and the model of it."""

    def __init__(self, tracer: Tracer, folder: Path) -> None:
        super().__init__()
        self._tracer = tracer
        self._folder = folder
        self._ledger = folder.with_name(folder.name + ".ledger")
        self._ids = count(1)
        self._rows: dict[str, str] = {}
        self._prompt = "Say"
        self._chunk_size = 5
        self._published: Answers | None = None
        self._state = State()

    @initialize(more=rows)
    def begin(self, more: list[str]) -> None:
        self.append(more)

    @rule(more=rows)
    def append(self, more: list[str]) -> None:
        self._rows |= {str(next(self._ids)): text for text in more}
        self._write()

    @rule(data=st.data(), text=texts)
    def edit(self, data: st.DataObject, text: str) -> None:
        self._rows[data.draw(st.sampled_from(sorted(self._rows)))] = text
        self._write()

    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        if len(self._rows) > 1:
            del self._rows[data.draw(st.sampled_from(sorted(self._rows)))]
            self._write()

    @rule(size=st.integers(1, 20))
    def change_the_chunk_size(self, size: int) -> None:
        self._chunk_size = size

    @rule(prompt=st.sampled_from(["Say", "Tell"]))
    def change_the_prompt(self, prompt: str) -> None:
        self._prompt = prompt

    @rule()
    def run_to_the_end(self) -> None:
        self._finished(self._run())

    @rule(number=events, after=st.booleans())
    def kill_at_an_event(self, number: int, after: bool) -> None:
        trace = self._run(at=At(number, after=after))
        if not trace.killed:
            self._finished(trace)

    @rule(seconds=st.floats(0.005, 0.25))
    def kill_at_a_moment(self, seconds: float) -> None:
        call = ("tests.crash.statements:die_in", [seconds])
        trace = self._run(prepare=[call], traced=False)
        if not trace.killed:
            self._finished(trace)

    @rule(number=events)
    def stop_at_an_event(self, number: int) -> None:
        trace = self._run(at=At(number, signal=signal.SIGINT))
        if trace.code != 130:
            self._finished(trace)

    def _write(self) -> None:
        lines = [json.dumps({"id": id, "text": text}) for id, text in self._rows.items()]
        (self._folder / "in.jsonl").write_text("\n".join(lines) + "\n")

    def _run(self, **how: Any) -> Trace:
        """One run with any end, and the checks after each run."""
        self._ledger.unlink(missing_ok=True)
        former = self._state
        trace = self._tracer.run(self._arguments(), self._folder, **how)
        assert "Traceback" not in trace.stderr, trace.stderr
        self._state = State.read(self._folder / "out.llmbatch/job.duckdb")
        assert self._state.violations == {}
        assert former.attempts <= self._state.attempts, "committed, and gone"
        ledger = set(self._ledger.read_text().split()) if self._ledger.exists() else set()
        assert not former.settled() & ledger, "committed, and computed again"
        tried = {attempt[0] for attempt in self._state.attempts}
        assert trace.killed or ledger <= tried, "computed, and lost without a kill"
        output = self._output()
        assert output in (self._published, self._answers()), "the output is neither old nor new"
        self._published = output
        return trace

    def _finished(self, trace: Trace) -> None:
        failed = [(id, kind) for id, (state, kind) in self._fates() if state == "failed"]
        assert trace.code == (3 if failed else 0), (trace.code, trace.stderr)
        assert self._published == self._answers()
        assert self._errors() == failed

    def _fates(self) -> list[tuple[str, Fate]]:
        return [(id, fate(self._prompt, text)) for id, text in self._rows.items()]

    def _answers(self) -> Answers:
        return [(id, text) for id, (state, text) in self._fates() if state == "answered"]

    def _output(self) -> Answers | None:
        path = self._folder / "out.jsonl"
        if not path.exists():
            return None
        records = map(json.loads, path.read_bytes().splitlines())
        return [(record["id"], record["response"]) for record in records]

    def _errors(self) -> Answers:
        path = self._folder / "out.errors.jsonl"
        records = map(json.loads, path.read_bytes().splitlines() if path.exists() else [])
        return [(record["id"], record["error"]["kind"]) for record in records]

    def _arguments(self) -> list[str]:
        return [
            "run", "in.jsonl", "-o", "out.jsonl", "-m", "m", "-p", f"{self._prompt} {{{{ text }}}}",
            "-q", "--id-column", "id", "--chunk-size", str(self._chunk_size),
            "--checkpoint-rows", "3", "--engine", "tests.scripted_engine:create",
            "--engine-arg", f"ledger={self._ledger}", "--engine-arg", "window=4",
        ]  # fmt: skip


def test_any_history_ends_as_the_model_says(tracer: Tracer, tmp_path: Path) -> None:
    def job() -> Job:
        return Job(tracer, Path(tempfile.mkdtemp(dir=tmp_path)))

    run_state_machine_as_test(
        job,  # type: ignore[arg-type]  # any callable that makes one will do
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=12,
            deadline=None,
            derandomize=not LONG,
            suppress_health_check=list(HealthCheck),
            # Shrinking repeats a history of real runs for minutes: only where it was asked for.
            phases=tuple(Phase) if LONG else (Phase.explicit, Phase.generate),
            database=None,
        ),
    )
