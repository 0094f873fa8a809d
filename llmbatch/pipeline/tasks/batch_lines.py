"""The task of a batch file: each row says itself what is asked, and how its answer has to look."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

from llmbatch.batch_files import drawing, lines, wanted
from llmbatch.batch_files.lines import BodyError
from llmbatch.batch_files.wanted import Wanted
from llmbatch.constraints import intake
from llmbatch.constraints.check import make_judge
from llmbatch.constraints.json_check import Judge
from llmbatch.core import exact_json
from llmbatch.core.errors import UsageError
from llmbatch.core.messages import json_text
from llmbatch.core.option_name import plain_name
from llmbatch.core.outcomes import Tries
from llmbatch.core.records import Ask, Constraint, Message, Request, Sampling
from llmbatch.engines import generation_defaults
from llmbatch.engines.pooling import KnownPooling, not_known
from llmbatch.engines.pooling_files import NO_PREFIX
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.tasks import retry
from llmbatch.pipeline.tasks.base import AnswerColumns, Part
from llmbatch.pipeline.tasks.own_keys import LINE_SAYS
from llmbatch.pipeline.tasks.row_check import RowCheck

NAME = lines.FORMAT
_ASKS: Mapping[str, Ask | None] = {
    "generate": None,
    "embed": Ask("embed", prompt_name=NO_PREFIX),  # the line has the whole text
    "score": Ask("score"),
}
# Of settings: they only tell requests apart.
_ROW, _DRAW, _COPY, _MEANING = _MARKS = ("row", "draw", "copy", "meaning")
_INT63 = 2**63 - 1
_FORMS = 256


@dataclass(frozen=True)
class BatchLines:
    """See `base.Task`. `asks`: the task of its rows, which one engine can do."""

    spec: JobSpec
    asks: str
    form: None = None
    constraint: None = None
    name: str = NAME
    sections: tuple[str, ...] = ("template",)

    @property
    def ask(self) -> Ask | None:
        return _ASKS[self.asks]

    @cached_property
    def sampling(self) -> Sampling:
        """The drawing that a body asks for which says nothing."""
        return self._with_job(drawing.sampling_of(self._defaults))

    @property
    def columns(self) -> AnswerColumns:
        return AnswerColumns("text", {}, reasons=self.spec.reasons)

    @cached_property
    def _defaults(self) -> Mapping[str, Any]:
        return generation_defaults.defaults(self.spec.model, self.spec.engine.options)

    @cached_property
    def _served(self) -> tuple[str, ...]:
        """Other names of the model, as the engine's options have them."""
        options = {plain_name(name): value for name, value in self.spec.engine.options.items()}
        names = options.get("served_model_name")
        return tuple(names) if isinstance(names, list) else (str(names),) if names else ()

    def wanted(self, data: str) -> Wanted:
        """All that a row (JSON) asks for. Raises BodyError for what this job does not answer."""
        line = lines.read(exact_json.parse_record(data))
        if line.task != self.asks:
            raise BodyError(
                f"url: this job answers {_endpoints(self.asks)}: one engine does not do both, so "
                f"put the lines of {line.endpoint} into a file of their own",
                lines.URL,
            )
        is_ours = lines.is_same_model(line.model, self.spec.model, self._served)
        if not (is_ours or self.spec.batch.any_model):
            raise BodyError(
                f"model: {str(line.model)[:80]!r} is not this job's, {self.spec.model!r}; with "
                "--any-model it answers all the same",
                "model",
            )
        found = wanted.read(line, self._defaults)
        form = drawing.form_of(found.settings)
        return found if form is None else replace(found, settings=_held(found.settings, form))

    def body(self, data: str) -> Mapping[str, Any] | None:
        return self.wanted(data).settings

    @property
    def dividing(self) -> list[Any]:
        spec = self.spec
        names = [spec.model, *self._served, spec.batch.any_model]
        return [self.asks, names, dict(self._defaults)]

    def parts(self, data: str, messages: Sequence[Message]) -> list[Part]:
        """The requests of a row: each of its texts or pairs, drawn as often as it says."""
        found = self.wanted(data)
        chats = [tuple(messages)] if found.texts is None else found.texts
        # A text that stands twice in a row is asked twice, as its answers are counted.
        met: Counter[tuple[Message, ...]] = Counter()
        parts = []
        for chat in chats:
            for draw in range(found.draws):
                parts.append(Part(chat, self._settings(found, draw, met[chat])))
            met[chat] += 1
        return parts

    def _settings(self, found: Wanted, draw: int, copy: int) -> dict[str, Any]:
        """The settings of one draw, of the `copy`-th of equal texts. As in vLLM the seed of each is
        one more than that of the one before it. A row without a seed draws by itself, whatever
        others ask for."""
        settings = dict(found.settings)
        if "seed" in settings:
            settings["seed"] = (settings["seed"] + draw) & _INT63
        elif draw:
            settings[_DRAW] = draw
        if found.draws_freely and self.spec.duplicates != "once":
            settings[_ROW] = found.line.custom_id
        return settings | ({_COPY: copy} if copy else {})

    def request(
        self, key: str, messages: Sequence[Message], tries: Tries, body: Mapping[str, Any] | None
    ) -> Request:
        settings = {name: value for name, value in (body or {}).items() if name not in _MARKS}
        if self.ask is not None:
            ask = _ask_of(self.ask, json_text(settings))
            return Request(key, tuple(messages), self.sampling, body=body, ask=ask)
        first, form = _drawing_of(json_text(settings))
        sampling = _sampling_for(self._with_job(first), tries)
        return Request(key, tuple(messages), sampling, form, body)

    def _with_job(self, sampling: Sampling) -> Sampling:
        return replace(sampling, repetition=self.spec.run.most_repetitions)

    def require_valid(self) -> None:
        spec = self.spec
        if self.asks not in _ASKS:
            raise UsageError(f"--task {spec.task}: no line of a batch file asks for that")
        for name in ("prompt", "system", "messages", "examples", "prefill", "raw"):
            if getattr(spec, name):
                raise UsageError(f"--{name}: {LINE_SAYS}")
        if spec.id_column != lines.CUSTOM_ID:
            raise UsageError(
                f"--id-column: the lines of a batch file are named by {lines.CUSTOM_ID}: leave it "
                "out"
            )

    def notices(self) -> list[str]:
        if self.asks != "generate" or not self._defaults:
            return []
        named = ", ".join(f"{name} {value:g}" for name, value in self._defaults.items())
        return [
            f"where a line says nothing: {named}, from the model's {generation_defaults.FILE} "
            "(--engine-arg generation_config=vllm: without them)"
        ]

    def check(self, pooling: KnownPooling = not_known) -> AbstractContextManager[Judge]:
        return RowCheck()


# One object for all requests that are sent alike: engines cache by it.
_sampling_for = lru_cache(maxsize=4096)(retry.sampling_for)


@lru_cache(maxsize=256)
def _ask_of(ask: Ask, settings: str) -> Ask:
    return replace(ask, **json.loads(settings))


@lru_cache(maxsize=4096)
def _drawing_of(settings: str) -> tuple[Sampling, Constraint | None]:
    """The sampling and the form of settings, given as JSON."""
    found = json.loads(settings)
    return drawing.sampling_of(found), drawing.form_of(found)


def _held(settings: Mapping[str, Any], form: Constraint) -> dict[str, Any]:
    """The settings with their form as all read it. Raises BodyError for one by which no answer can
    be checked."""
    taken, meaning, fault = _taken(form)
    if fault is not None:
        raise BodyError(fault)
    return {**settings, **drawing.with_form(taken), **({_MEANING: meaning} if meaning else {})}


@lru_cache(maxsize=_FORMS)
def _taken(form: Constraint) -> tuple[Constraint, Mapping[str, Any], str | None]:
    """A form as all read it, what else it depends on (see `intake`), or what is wrong with it."""
    try:
        make_judge(form)
        if form.kind != "json":
            return form, {}, None
        found = intake.take_text(form.value)
        return Constraint("json", found.text), found.meaning, None
    except UsageError as error:
        return form, {}, str(error)


def _endpoints(task: str) -> str:
    return " and ".join(name for name, asked in lines.TASKS.items() if asked == task)


def make(spec: JobSpec) -> BatchLines:
    """The task of a job whose input is a batch file."""
    return BatchLines(spec, spec.task)
