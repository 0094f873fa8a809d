"""Accepted answers as lines for the training of another model, a smaller one for example.

`sft`: a chat that ends with the answer (`{"messages": [...]}`), or `{"prompt", "completion"}` where
no chat was asked. `dpo`: an accepted answer beside one that was refused, of the same prompt
(`{"prompt", "chosen", "rejected"}`). These are the conversational and the plain forms that
trainers read, TRL among them. Refused answers are those of failed tries, and of samples that lost
a vote.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO, Literal

from llmbatch.core import files, messages
from llmbatch.core.errors import UsageError
from llmbatch.core.records import Message
from llmbatch.job import targets
from llmbatch.job.spec import JobSpec
from llmbatch.job.targets import Target
from llmbatch.pipeline.rows.output_file import OutputFile
from llmbatch.pipeline.tasks import registry
from llmbatch.quality.votes import value_of
from llmbatch.store import training_answers
from llmbatch.store.database import Database
from llmbatch.store.training_answers import TrainingAnswer

Form = Literal["sft", "dpo"]
FORMS: tuple[Form, ...] = ("sft", "dpo")
# Of another file, which may have no line end.
_LONGEST_LINE = 2**26
_CHAT = frozenset({"system", "user", "assistant", "prefill"})
_KEYS = ({"messages"}, {"prompt", "completion"}, {"prompt", "chosen", "rejected"})


@dataclass(slots=True)
class PairCounts:
    """Lines that were written, and answers that were left out: `flagged`, with a confidence that is
    too low (`doubtful`), and, of pairs, without a refused answer beside them (`single`)."""

    written: int = 0
    flagged: int = 0
    doubtful: int = 0
    single: int = 0


@dataclass(frozen=True, slots=True)
class _Answered:
    """The accepted answers of one row (several where its samples do not vote), the refused ones,
    and the confidence, if there is one."""

    prompt: tuple[Message, ...]
    accepted: list[str]
    refused: list[str] = field(default_factory=list)
    confidence: float | None = None


class TrainingPairs:
    """The lines of a job in one form. `least_confidence`: of the answers that are written, from 0
    to 1 (of a vote: the agreement); `with_flagged`: also those of rows with a flag. Raises
    UsageError for a job without such answers or without a confidence."""

    def __init__(
        self,
        spec: JobSpec,
        form: Form,
        *,
        least_confidence: float | None = None,
        with_flagged: bool = False,
    ) -> None:
        columns = registry.make(spec).columns
        self._form = form
        self._least = least_confidence
        self._with_flagged = with_flagged
        self._is_json = columns.is_json
        self._is_labelled = "confidence" in columns.fields
        self._votes = spec.sampling.samples > 1 and spec.sampling.vote
        self.counts = PairCounts()
        if spec.task in ("embed", "score") or spec.is_batch:
            what = "a batch file" if spec.is_batch else f"--task {spec.task}"
            raise UsageError(f"--format {form}: {what} has no answers to train on")
        if least_confidence is not None and not (self._is_labelled or self._votes):
            raise UsageError(
                "--min-confidence: the answers have none; --task classify has one, and --vote"
            )

    def write(self, db: Database, stream: BinaryIO) -> PairCounts:
        """Write the lines, in input order; an answer that several rows share comes once."""
        for group in training_answers.by_row(db):
            for line in self._lines(group):
                stream.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
                self.counts.written += 1
        return self.counts

    def _lines(self, group: Sequence[TrainingAnswer]) -> Iterator[dict[str, Any]]:
        answered = self._read(group)
        if any(one.is_flagged for one in group) and not self._with_flagged:
            self.counts.flagged += 1
        elif self._is_doubtful(answered):
            self.counts.doubtful += 1
        elif self._form == "sft":
            yield from (_example(answered.prompt, text) for text in answered.accepted)
        else:
            pairs = [
                _pair(answered.prompt, text, other)
                for text in answered.accepted
                for other in answered.refused
            ]
            self.counts.single += not pairs
            yield from pairs

    def _is_doubtful(self, answered: _Answered) -> bool:
        if self._least is None or answered.confidence is None:
            return False
        return answered.confidence < self._least

    def _read(self, group: Sequence[TrainingAnswer]) -> _Answered:
        prompt = messages.messages_of(group[0].messages)
        texts = [one.answer for one in group if one.answer is not None]
        refused = list(chain.from_iterable(one.refused for one in group))
        if self._is_labelled:
            found = json.loads(texts[0])
            return _Answered(prompt, [found["response"]], confidence=found["confidence"])
        if not self._votes:
            return _Answered(prompt, texts, self._others(refused, texts))
        counted = [self._value(text) for text in texts]
        won = max(counted, key=counted.count)  # of equal ones the earliest
        agreement = counted.count(won) / len(group)
        first = texts[counted.index(won)]
        return _Answered(prompt, [first], self._others([*texts, *refused], [first]), agreement)

    def _others(self, refused: Sequence[str], accepted: Sequence[str]) -> list[str]:
        """The refused answers that differ from the accepted ones, each once."""
        known = {self._value(text) for text in accepted}
        found = {self._value(text): text for text in reversed(refused) if text.strip()}
        return [text for value, text in reversed(found.items()) if value not in known]

    def _value(self, text: str) -> Any:
        return value_of(text, is_json=self._is_json)


def _example(prompt: Sequence[Message], answer: str) -> dict[str, Any]:
    if _is_chat(prompt):
        return {"messages": [*_turns(prompt), _turn("assistant", answer)]}
    return {"prompt": prompt[0].content, "completion": answer}


def _pair(prompt: Sequence[Message], answer: str, refused: str) -> dict[str, Any]:
    if _is_chat(prompt):
        chosen, rejected = ([_turn("assistant", text)] for text in (answer, refused))
        return {"prompt": _turns(prompt), "chosen": chosen, "rejected": rejected}
    return {"prompt": prompt[0].content, "chosen": answer, "rejected": refused}


def _is_chat(prompt: Sequence[Message]) -> bool:
    return {message.role for message in prompt} <= _CHAT


def _turns(prompt: Sequence[Message]) -> list[dict[str, str]]:
    """The turns before the answer. The beginning that a job gives it is a part of the answer."""
    turns = (message for message in prompt if message.role != "prefill")
    return [_turn(message.role, message.content) for message in turns]


def _turn(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def check(output: OutputFile) -> None:
    """Raise UsageError for a file of that name that something else has written."""
    path = files.behind_link(output.path)
    if output.is_stdout or output.overwrite or not path.exists() or not path.stat().st_size:
        return
    if not _is_ours(path):
        raise targets.foreign_error(Target(targets.OUTPUT, output.path, _is_ours))


def _is_ours(path: Path) -> bool:
    """True for a file whose first line is one of ours."""
    with path.open("rb") as stream:
        line = stream.readline(_LONGEST_LINE)
    try:
        found = json.loads(line)
    except ValueError:
        return False
    return isinstance(found, dict) and set(found) in _KEYS
