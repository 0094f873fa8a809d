"""An engine that follows a script: `--engine tests.scripted_engine:create`.

The answer depends on the messages and the seed only, so that runs can be compared byte for
byte. Marker words in a message script what happens to that request:

    FAIL:kind      Failed(kind); FAIL_ODD:kind only with an odd seed
    LENGTH         finish reason "length"; LENGTH:n only while max_tokens < n: the whole answer
                   has n words, and a cut one the first max_tokens of them
    INVALID        an answer that breaks every constraint; INVALID_ONCE only for a plain first
                   try, which is one without a seed and with temperature 0, in any process;
                   INVALID_UNTOLD only until it is shown such an answer of its own
    LOOP           the same word over and over, until it is cut or ended for it; LOOP_ONCE only
                   without a repetition penalty
    KILL           the engine dies (EngineError) when this request is computed, with all that
                   is in flight
    STALL          no answer, and no other is computed, until the engine is closed
    LOSE:n         a part of the engine dies with this request and those that were taken after it,
                   n in all (1 without a number), and the rest goes on; LOSE_ONCE:n only the first
                   time that an engine computes it
"""

import json
import os
import random
import re
import signal
import threading
import time
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from typing import Any, Self

from llmbatch.constraints.copies.copier import CheckOnly
from llmbatch.core import clock
from llmbatch.core.errors import EngineError, MismatchedEngineError, UsageError, nearest
from llmbatch.core.outcomes import Completed, Failed, Lost, Outcome, Usage
from llmbatch.core.records import Constraint, Message, Request, Sampling
from llmbatch.core.speculation import Speculation
from llmbatch.core.step_cost import StepMoments
from llmbatch.engines.base import Telemetry
from llmbatch.engines.config import EngineConfig
from llmbatch.engines.grammar_plan import GrammarPlan
from llmbatch.engines.info import EngineInfo
from llmbatch.engines.pooling import Pooling
from llmbatch.engines.speculates import Drafting
from tests import scripted_answers, scripted_clock

_END = "the feed has ended"
MARKER = re.compile(
    r"\b(FAIL_ODD|FAIL|LENGTH|INVALID_ONCE|INVALID_UNTOLD|INVALID|LOOP_ONCE|LOOP|KILL|STALL"
    r"|LOSE_ONCE|LOSE)(?::(\w+))?"
)


@dataclass(frozen=True)
class Options:
    """The options of the engine, given as `--engine-arg name=value`."""

    window: int = 8
    slots: int = 0  # so many are answered at a time, a word of each in a step; 0: one by one
    delay: float = 0.0  # seconds for each answer
    # Words that are drafted in a step, all of them right: so many times faster, plus one.
    drafted: int = 0
    draft_spoils: bool = False  # drafts change the answers
    step_delay: float = 0.0  # seconds for each step, with `slots`
    prefill_delay: float = 0.0  # seconds for each word of a prompt that begins, with `slots`
    cache: float = 0.0  # what it says of the use of its cache, 0 to 1
    start_delay: float = 0.0  # seconds to start
    check_delay: float = 0.0  # seconds to check the job's requests, as an import may take
    start_error: str = ""  # the reason for which it does not start
    start_failures: int = 0  # how many starts fail, counted in `counter`
    start_failures_after: int = 0  # how many starts succeed before the first that fails
    refuse: bool = False  # no request of the job could be answered
    die_after: int = -1  # answers of one engine until EngineError; -1: never
    die_times: int = -1  # how often it dies so in all, counted in `counter`; -1: every time
    misfit_after: int = -1  # answers until MismatchedEngineError; -1: never
    notice: str = ""  # what it says before it is started
    backend: str = ""  # what it says holds a constraint, and keywords that are not: a+b+c
    kill_after: int = -1  # answers until the process gets SIGKILL; -1: never
    lose_after: int = -1  # answers of one engine until it loses all that it is given; -1: never
    held_back: float = 0.0  # seconds for which it is held back before each answer, as it says
    held_back_says: float = 0.0  # seconds beyond them that it claims
    order: str = "first"  # first, reverse or shuffle: which request in flight is answered next
    # hash: a digest of the request; echo: the last message; said: that, even under a constraint
    answer: str = "hash"
    own: bool = False  # its labels, vectors and scores depend on the name of the model, too
    # A JSON file of pairs: texts, and the answer to the last message that holds them all.
    script: str = ""
    max_model_len: int = 100_000  # words
    block_size: int = 0  # words in a block of the prefix cache that it tells of; 0: of none
    kv_cache_blocks: int = 0
    cached_words: int = 0  # so many words of each prompt count as served by the cache
    tensor_parallel_size: int = 1  # of no consequence here, but for what is paid
    pooling: str = ""  # what it says its numbers are, and their labels: softmax+a+b+c
    control: str = ""  # the control tokens of its model, with spaces between; none: not known
    variant: str = ""  # part of the identity: another model of the same name
    clock: str = "real"  # real: it sleeps; scripted: it moves `tests.scripted_clock` instead
    ledger: str = ""  # file that gets the key of each computed answer
    counter: str = ""  # file that counts starts and deaths over engines and processes


CHOICES = {
    "order": ("first", "reverse", "shuffle"),
    "answer": ("hash", "echo", "said"),
    "clock": ("real", "scripted"),
}


def create(config: EngineConfig) -> "ScriptedEngine":
    """The factory that the registry calls."""
    return ScriptedEngine(config, options_of(config))


def options_of(config: EngineConfig) -> Options:
    kinds: dict[str, Any] = {field.name: type(field.default) for field in fields(Options)}
    given: dict[str, Any] = {}
    for written, value in config.options.items():
        name = written.replace("-", "_")
        if name not in kinds:
            raise UsageError(f"engine option {written!r}: unknown{nearest(name, kinds)}")
        try:
            given[name] = kinds[name](value)
        except (TypeError, ValueError) as error:
            raise UsageError(f"engine option {written!r}: {error}") from error
        if name in CHOICES and given[name] not in CHOICES[name]:
            raise UsageError(f"engine option {written!r}: use one of {', '.join(CHOICES[name])}")
    options = Options(**given)
    if (options.start_failures or options.die_times >= 0) and not options.counter:
        raise UsageError("engine option 'counter': name a file to count in")
    return options


class ScriptedEngine:
    """See the module's docstring; the protocol is `llmbatch.engines.base.Engine`."""

    def __init__(self, config: EngineConfig, options: Options) -> None:
        self._model = config.model
        self._thinks = config.chat.thinking not in (None, "off")
        self._constraint = config.constraint
        self._options = options
        self._script = json.loads(Path(options.script).read_text()) if options.script else []
        self._random = random.Random(0)
        self._closed = threading.Event()
        self._closed.set()
        self._computed = 0
        self._in_flight: list[Request] = []
        self._usage = Usage()
        self._idle = 0.0
        self._left: dict[str, int] = {}  # words still to come of what is being answered
        self._steps = self._starved = self._sequences = 0
        self._moments = StepMoments()
        self._accepted = 0
        self._unmeasured = (0.0, 0)  # seconds and words that belong to the next step
        self._more = False
        self._lost: set[str] = set()
        self._may_lose = False  # a request with such a marker was taken
        self._held_back_until: float | None = None

    def identity(self) -> dict[str, str]:
        return {"model": self._model, "variant": self._options.variant}

    def takes_adapters(self) -> bool:
        return True

    def control_tokens(self) -> list[str] | None:
        return self._options.control.split() or None

    def notices(self) -> list[str]:
        return [self._options.notice] if self._options.notice else []

    def grammar(self, constraint: Constraint) -> GrammarPlan | None:
        if not self._options.backend:
            return None
        backend, *left = self._options.backend.split("+")
        return GrammarPlan(backend, tuple(CheckOnly("$", word) for word in left))

    def pooling(self) -> Pooling | None:
        output, *labels = self._options.pooling.split("+")
        return Pooling(output, labels=tuple(labels)) if output else None  # type: ignore[arg-type]

    def check(self, sampling: Sampling, constraint: Constraint | None) -> None:
        time.sleep(self._options.check_delay)
        if self._options.refuse:
            raise UsageError("the scripted engine refuses this job's requests")

    def __enter__(self) -> Self:
        self._closed.clear()
        self._pause(self._options.start_delay)
        if self._options.start_error:
            raise EngineError(self._options.start_error)
        self._fail_to_start()
        return self

    def _fail_to_start(self) -> None:
        options = self._options
        if options.start_failures:
            starts = self._count("start") - options.start_failures_after
            if 1 <= starts <= options.start_failures:
                raise EngineError(f"scripted failure {starts} to start")

    def _count(self, event: str) -> int:
        """Note one more event in the file; how many of its kind there are now."""
        path = Path(self._options.counter)
        with path.open("a") as counter:
            counter.write(f"{event}\n")
        return path.read_text().split().count(event)

    def _pause(self, seconds: float) -> None:
        """Wait, or end with an error as soon as the engine is closed from another thread."""
        if self._options.clock == "scripted":
            scripted_clock.advance(seconds)
            seconds = 0.0
        if self._closed.wait(seconds) if seconds else self._closed.is_set():
            raise EngineError("engine died: it was closed")

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        self._closed.set()

    def encode(self, messages: Sequence[Message]) -> list[int]:
        """A token for each word: the same word is the same token in any process."""
        words = " ".join(message.content for message in messages).split()
        return [zlib.crc32(word.encode()) for word in words]

    def run(self, requests: Iterable[Request]) -> Iterator[Outcome | Lost]:
        return self.run_with_pauses(requests)

    def run_with_pauses(self, requests: Iterable[Request | None]) -> Iterator[Outcome | Lost]:
        self._pause(0)
        feed = iter(requests)
        self._in_flight = []
        self._more = True
        try:
            while self._more or self._in_flight:
                self._more = self._more and self._fill(feed)
                if self._in_flight:
                    yield self._lose() or self._answer_one()
        finally:
            self._in_flight = []

    def _fill(self, feed: Iterator[Request | None]) -> bool:
        """Pull until the window is full, or none is ready. False: the feed has ended."""
        while len(self._in_flight) < self._options.window:
            began = clock.seconds()
            request = next(feed, _END)
            if not self._in_flight:
                self._idle += clock.seconds() - began
            if request is None or isinstance(request, str):
                return request is None
            self._in_flight.append(request)
            self._may_lose |= any("LOSE" in message.content for message in request.messages)
        return True

    def _lose(self) -> Lost | None:
        """The requests in flight that are lost now with a part of the engine, if any are."""
        if 0 <= self._options.lose_after <= self._computed:
            return self._lost_at(0, len(self._in_flight))
        if not self._may_lose:
            return None
        for index, request in enumerate(self._in_flight):
            found = MARKER.search(" ".join(message.content for message in request.messages))
            mark, detail = found.groups() if found else ("", None)
            if mark == "LOSE" or (mark == "LOSE_ONCE" and request.key not in self._lost):
                return self._lost_at(index, int(detail or 1))
        return None

    def _lost_at(self, index: int, count: int) -> Lost:
        self._pause(0)
        keys = tuple(request.key for request in self._in_flight[index : index + count])
        del self._in_flight[index : index + count]
        self._lost.update(keys)
        for key in keys:
            self._left.pop(key, None)
        return Lost(keys, "a replica died: scripted")

    def _hold_back(self) -> None:
        """Wait as a server's rate limit has it."""
        seconds, says = self._options.held_back, self._options.held_back_says
        if not seconds:
            return
        self._held_back_until = clock.seconds() + seconds + says
        self._pause(seconds)
        self._held_back_until = None

    def _answer_one(self) -> Outcome:
        self._hold_back()
        options = self._options
        if self._computed == options.kill_after:
            os.kill(os.getpid(), signal.SIGKILL)
        if self._computed == options.misfit_after:
            raise MismatchedEngineError("scripted 1 and we do not fit together")
        if self._computed == options.die_after and self._may_die():
            self.close()
            raise EngineError(f"engine died: scripted after {self._computed} answers")
        position, steps, batch, begun = self._next()
        began = clock.seconds()
        self._pause(
            options.delay / (1 + options.drafted)
            + steps * options.step_delay
            + begun * options.prefill_delay
        )
        outcome = self.compute(self._in_flight[position])
        if options.slots or options.delay:
            self._measure(clock.seconds() - began, steps, batch, begun)
        del self._in_flight[position]
        self._record(outcome)
        return outcome

    def _next(self) -> tuple[int, int, int, int]:
        """The place of the request that is answered next, in so many steps of so many requests,
        and the words of prompts that begin in them."""
        if self._options.slots:
            return self._next_finished()
        position = self._next_in_order()
        if not self._options.delay:
            return position, 1, 1, 0
        usage = self.compute(self._in_flight[position]).usage
        return position, max(1, usage.output), 1, usage.prompt

    def _measure(self, seconds: float, steps: int, batch: int, begun: int) -> None:
        """Count steps that took as long as each other, but for the prompts in the first one."""
        seconds, begun = seconds + self._unmeasured[0], begun + self._unmeasured[1]
        self._unmeasured = (0.0, 0) if steps else (seconds, begun)
        if not steps:  # it was finished in the step before, with another one
            return
        for_prompts = min(seconds, begun * self._options.prefill_delay)
        each = (seconds - for_prompts) / steps
        first = StepMoments.of_step(each + for_prompts, batch, begun)
        other = (value * (steps - 1) for value in astuple(StepMoments.of_step(each, batch, 0)))
        self._moments = self._moments + first + StepMoments(*other)

    def _next_in_order(self) -> int:
        last = len(self._in_flight) - 1
        return {"first": 0, "reverse": last, "shuffle": self._random.randint(0, last)}[
            self._options.order
        ]

    def _next_finished(self) -> tuple[int, int, int, int]:
        """Go on until one of those that run is finished; count the steps."""
        running = self._in_flight[: self._options.slots]
        begun = 0
        for request in running:
            if request.key not in self._left:
                usage = self.compute(request).usage
                self._left[request.key] = max(1, self._steps_of(usage.output))
                begun += usage.prompt
        left = [self._left[request.key] for request in running]
        self._steps += min(left)
        self._sequences += min(left) * len(running)
        if self._more and len(running) < self._options.slots:
            self._starved += min(left)
        for request in running:
            self._left[request.key] -= min(left)
        position = left.index(min(left))
        del self._left[running[position].key]
        return position, min(left), len(running), begun

    def _steps_of(self, words: int) -> int:
        """The steps of an answer with so many words."""
        return -(-words // (1 + self._options.drafted))

    def _may_die(self) -> bool:
        times = self._options.die_times
        return times < 0 or self._count("death") <= times

    def compute(self, request: Request) -> Outcome:
        """The outcome of a request, also when the engine was not started. Raises EngineError for
        one that ends it."""
        prompt = " ".join(message.content for message in request.messages)
        words = len(prompt.split())
        limit = self._options.max_model_len
        if words + 1 > limit:
            message = f"prompt has {words} tokens, the context length is {limit}"
            return Failed(request.key, "too_long", message)
        sampling = request.sampling
        if (sampling.seed or 0) < 0 or sampling.temperature < 0 or sampling.top_p > 1:
            return Failed(request.key, "refused_request", "a sampling value is out of range")
        try:
            text = self._text(request)
        except (ValueError, KeyError, IndexError) as error:
            return Failed(request.key, "refused_request", str(error))
        return self._marked(request, prompt, text, words)

    def _text(self, request: Request) -> str:
        if request.ask is not None:
            by = self._model if self._options.own else ""
            return scripted_answers.asked(request, request.ask, by)
        return request.prefill + self._rest(request)

    def _rest(self, request: Request) -> str:
        """The answer, without the beginning that the request gives."""
        asked = [message for message in request.messages if message.role != "prefill"]
        if self._script:
            return scripted_answers.given(self._script, asked[-1].content)
        if self._options.answer == "said":
            return asked[-1].content
        if request.constraint is not None:
            return scripted_answers.constrained(
                request.constraint, drawn=self._drawn(request.sampling)
            )
        if self._options.answer == "echo":
            spoilt = " spoilt" if self._options.drafted and self._options.draft_spoils else ""
            return asked[-1].content + spoilt
        return scripted_answers.free_text(request)

    @staticmethod
    def _drawn(sampling: Sampling) -> int:
        """The number of the choice that is drawn: at a high temperature and with a seed any."""
        is_drawn = sampling.temperature >= 1 and sampling.seed is not None
        return zlib.crc32(str(sampling.seed).encode()) if is_drawn else 0

    def _marked(self, request: Request, prompt: str, text: str, words: int) -> Outcome:
        """The outcome, after what the marker in the prompt asks for."""
        found = MARKER.search(prompt)
        mark, detail = found.groups() if found else (None, None)
        sampling, reason = request.sampling, "stop"
        if mark == "KILL":
            self.close()
            raise EngineError(f"engine died: poison request {request.key}")
        if mark == "STALL":
            self._closed.wait()
            self._pause(0)
        if mark == "FAIL" or (mark == "FAIL_ODD" and (sampling.seed or 0) % 2):
            return Failed(request.key, detail or "refused_request", "scripted failure")
        if mark == "LENGTH":
            text, reason = scripted_answers.measured(request, text, int(detail or 0))
        first_try = sampling.seed is None and sampling.temperature == 0
        is_invalid = {
            "INVALID": True, "INVALID_ONCE": first_try, "INVALID_UNTOLD": not _is_told(request)
        }  # fmt: skip
        if is_invalid.get(mark or ""):
            text = scripted_answers.INVALID
        if mark == "LOOP" or (mark == "LOOP_ONCE" and sampling.repetition_penalty == 1):
            text, reason = scripted_answers.looping(sampling)
        room = self._options.max_model_len - words
        if reason == "length" or len(text.split()) > room:
            kept = text.split()[:room]
            text, reason = (" ".join(kept), "context") if len(kept) == room else (text, reason)
        cached = min(words, self._options.cached_words)
        output = 0 if request.ask is not None and request.ask.pools else len(text.split())
        usage = Usage(prompt=words, cached=cached, output=output)
        if self._thinks:
            thought = replace(usage, output=output + 2, reasoning=2)
            return Completed(request.key, text, reason, thought, "Let me see")
        logprobs = scripted_answers.logprobs(text, sampling)
        return Completed(request.key, text, reason, usage, logprobs=logprobs)

    def _record(self, outcome: Outcome) -> None:
        self._computed += 1
        used, more = self._usage, outcome.usage
        self._usage = Usage(used.prompt + more.prompt, 0, used.output + more.output)
        self._accepted += more.output - self._steps_of(more.output)
        if self._options.ledger:
            with Path(self._options.ledger).open("a") as ledger:
                ledger.write(f"{outcome.key}\n")

    def describe(self) -> EngineInfo:
        plan = None if self._constraint is None else self.grammar(self._constraint)
        return EngineInfo(
            name="scripted",
            version="1",
            device="none",
            dtype="none",
            model=self._model,
            parallelism={"tensor": 1},
            window=self._options.window,
            max_num_seqs=self._options.slots,
            max_model_len=self._options.max_model_len,
            prefix_caching=self._options.block_size > 0,
            block_size=self._options.block_size,
            kv_cache_blocks=self._options.kv_cache_blocks,
            settings=({} if plan is None else {"grammar": plan.to_json()})
            | ({} if (pooling := self.pooling()) is None else {"pooling": pooling.to_json()}),
        )

    def alternatives(self, info: EngineInfo, requests: int) -> dict[str, list[Any]]:
        delay = self._options.delay
        return {"window": [2 * (info.window or 0)], "delay": [delay / 4, delay * 4]}

    def drafting(self) -> tuple[Drafting, list[str]]:
        return {"drafted": [2]}, ["no others can be tried"]

    def draft_tokens(self) -> int:
        return self._options.drafted

    def _drafts(self) -> Speculation:
        places = self._options.drafted
        if not places:
            return Speculation()
        each, rest = divmod(self._accepted, places)
        accepted = tuple(each + (place < rest) for place in range(places))
        return Speculation(accepted[0], accepted, accepted)

    def telemetry(self) -> Telemetry:
        return Telemetry(
            speculation=self._drafts(),
            prompt_tokens=self._usage.prompt,
            output_tokens=self._usage.output,
            running=min(self._options.slots or 1, len(self._in_flight)),
            waiting=max(0, len(self._in_flight) - (self._options.slots or 1)),
            cache_usage=self._options.cache if self._in_flight else 0.0,
            steps=self._steps if self._options.slots else self._computed,
            starved_steps=self._starved,
            sequences=self._sequences if self._options.slots else self._computed,
            idle_seconds=self._idle,
            moments=self._moments,
            held_back_until=self._held_back_until,
        )


def _is_told(request: Request) -> bool:
    """True if an invalid answer of this engine's own stands in the chat, and why it is invalid."""
    *_, shown, why = [None, None, *request.messages]
    return bool(
        shown and why and shown.content == scripted_answers.INVALID and shown.role == "assistant"
    )
