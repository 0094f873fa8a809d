"""vLLM in this process or, as vLLM does by default, in a child process.

The loop feeds `LLMEngine` by `add_request` and `step`, with twice as many requests in flight
as the scheduler runs at once: that costs no more steps than handing over everything, and the
first answers come at once. Prompts go in as token ids and answers are decoded once, at their
end, which keeps this side of the engine several times cheaper than vLLM's own.
"""

import gc
import os
import re
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TextIO

from llmbatch.core import clock
from llmbatch.core.errors import EngineError, UsageError
from llmbatch.core.outcomes import Completed, Failed, Outcome, Usage
from llmbatch.core.records import Constraint, Message, Request, Sampling
from llmbatch.engines import (
    models,
    vllm_options,
    vllm_process,
    vllm_reasons,
    vllm_scratch,
    vllm_start,
    vllm_tokenizer,
)
from llmbatch.engines.base import EngineConfig, Telemetry
from llmbatch.engines.vllm_client import Client
from llmbatch.engines.vllm_sampling import Parameters, check_parameters
from llmbatch.engines.vllm_stats import Stats
from llmbatch.engines.vllm_text import Texts

WINDOW_FACTOR = 2
_C_PREFIX = re.compile(r"\[\d\d:\d\d:\d\d\] \S+\.(?:cc|h|cpp):\d+: ")
NOT_INSTALLED = (
    "vLLM is not installed: pip install 'llmbatch[cuda]' (NVIDIA GPU) or 'llmbatch[cpu]'"
)


def create(config: EngineConfig) -> "VllmEngine":
    """Check the options and the model's path; load nothing. Raises UsageError."""
    options = vllm_options.check(config.options)
    return VllmEngine(config, options, models.local_folder(config.model))


class VllmEngine:
    """See `llmbatch.engines.base.Engine` for what it promises."""

    def __init__(
        self, config: EngineConfig, options: Mapping[str, Any], folder: Path | None
    ) -> None:
        self._config = config
        self._options = dict(options)
        self._folder = folder
        self._identity: dict[str, str] | None = None
        self._client: Client | None = None
        self._closing = threading.RLock()
        self._end = "it was not started"
        self._log: TextIO | None = None
        self._log_start = 0
        self._sent = 0
        self._stats = Stats()
        # Loaded when first asked for; None inside: there is none without vLLM.
        self._reader: tuple[Texts | None] | None = None

    def identity(self) -> dict[str, str]:
        if self._identity is None:
            if self._folder is not None:
                name = {"model": models.fingerprint(self._folder)}
            else:
                revision = self._options.get("revision")
                commit = models.hub_commit(self._config.model, revision, os.environ)
                name = {"model": self._config.model, "revision": commit}
            self._identity = name | vllm_options.answer_affecting(self._options)
        return dict(self._identity)

    def check(self, sampling: Sampling, constraint: Constraint | None) -> None:
        chosen = self._options.get("structured_outputs_config")
        own_backend = isinstance(chosen, dict) and chosen.get("backend", "xgrammar") != "xgrammar"
        if not vllm_options.is_installed() or own_backend:
            return  # starting says what is missing; another backend judges for itself
        self._open_log()
        vllm_start.set_environment(local=self._folder is not None)
        try:
            with vllm_process.output_to(self._log):
                check_parameters(sampling, constraint)
        except Exception as error:  # vLLM's own kinds of error are many
            raise UsageError(f"vLLM refuses this job's requests: {error}") from error

    def encode(self, messages: Sequence[Message]) -> list[int] | None:
        if self._reader is None:
            self._reader = (vllm_tokenizer.load(self._config.model, self._folder, self._options),)
        (texts,) = self._reader
        if texts is None:
            return None
        try:
            return texts.encode(messages)
        except Exception as error:  # a chat template raises whatever it likes
            raise ValueError(_one_line(error)) from error

    def __enter__(self) -> Self:
        if not vllm_options.is_installed():
            raise EngineError(NOT_INSTALLED)
        options = dict(self._options)
        if self._folder is None:
            # What runs is what the keys name, even if the branch moves on meanwhile.
            options["revision"] = self.identity()["revision"]
        self._open_log()
        vllm_scratch.sweep()
        client = self._client = Client(self._config.log_path, self._log_start)
        try:
            with vllm_process.output_to(self._log):
                self._start(client, options)
            vllm_process.log_to(self._log)
        except BaseException as error:
            with vllm_process.output_to(self._log):
                client.close()  # also when another thread has closed it before its time
            self.close()
            if not isinstance(error, Exception):
                raise
            reason = vllm_reasons.reason_of(error, self._config.log_path, self._log_start)
            raise EngineError(f"vLLM: {vllm_reasons.with_advice(reason)}") from error
        return self

    def _open_log(self) -> None:
        if self._config.log_path is None or self._log is not None:
            return
        # Never closed: vLLM's logging goes on using it until this process ends.
        path = Path(self._config.log_path)
        try:
            self._log = path.open("a", buffering=1, encoding="utf-8")
        except OSError:  # no log must never stop a run, and no noise may reach the screen
            nowhere = Path(os.devnull)
            self._log = nowhere.open("a", encoding="utf-8")
        self._log_start = self._log.tell()

    def _start(self, client: Client, options: dict[str, Any]) -> None:
        model = str(self._folder) if self._folder is not None else self._config.model
        client.start(model, options, local=self._folder is not None)
        engine = client.engine
        self._stats = Stats()
        self._stats.attach(engine)
        self._description = vllm_start.description(engine, options)
        self._window = WINDOW_FACTOR * self._description["max_num_seqs"]
        self._description["window"] = self._window
        self._max_len: int = self._description["max_model_len"]
        self._texts = Texts(engine.get_tokenizer())
        on_cpu = engine.vllm_config.device_config.device_type == "cpu"
        self._parameters = Parameters(
            seeds_allowed=not (on_cpu and self._description["chunked_prefill"]),
            detokenize=not self._texts.decodes,
        )
        engine.get_supported_tasks()  # asked once and kept: later it could hang on a dead core
        # What was imported stays: looking through it again and again costs more than a request.
        gc.collect()
        gc.freeze()

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End the engine and its processes. From another thread it also ends a waiting `run`."""
        with self._closing:  # whoever comes second returns when all is done
            client = self._client
            if client is None:
                return
            with vllm_process.output_to(self._log):
                client.close()
            self._end, self._client = client.death or self._end, None
            # A model that ran in this process is freed now, not when the next one is loaded.
            gc.unfreeze()
            gc.collect()

    def run(self, requests: Iterable[Request]) -> Iterator[Outcome]:
        client = self._client
        if client is None:
            raise EngineError(f"engine died: {self._end}")
        flight: dict[str, Request] = {}
        try:
            yield from self._loop(client, iter(requests), flight)
        finally:
            if flight:
                client.abort(list(flight))
            self._stats.rest()

    def _loop(
        self, client: Client, feed: Iterator[Request], flight: dict[str, Request]
    ) -> Iterator[Outcome]:
        settled: deque[Outcome] = deque()
        more = True
        while True:
            while more and len(flight) + len(settled) < self._window:
                more = self._pull(client, feed, flight, settled)
            if settled:
                yield settled.popleft()
            elif flight:
                settled.extend(self._step(client, flight))
            elif not more:
                return

    def _pull(
        self,
        client: Client,
        feed: Iterator[Request],
        flight: dict[str, Request],
        settled: deque[Outcome],
    ) -> bool:
        """Take one request from the feed and send it. False: the feed has ended."""
        began = clock.seconds()
        request = next(feed, None)
        if not flight:
            self._stats.idle_seconds += clock.seconds() - began
        if request is None:
            return False
        failed = self._send(client, request, flight)
        if failed is not None:
            settled.append(failed)
        return True

    def _send(self, client: Client, request: Request, flight: dict[str, Request]) -> Failed | None:
        """Hand a request to vLLM, or say why not."""
        number = str(self._sent)
        self._sent += 1
        try:
            parameters = self._parameters.of(request.sampling, request.constraint)
            tokens = self._texts.encode(request.messages)
            if len(tokens) + 1 > self._max_len:
                text = f"prompt has {len(tokens)} tokens, the context length is {self._max_len}"
                return Failed(request.key, "too_long", text, Usage(prompt=len(tokens)))
            client.add(number, tokens, parameters)
        except EngineError:
            raise
        except Exception as error:  # vLLM and its parts raise whatever they like
            return Failed(request.key, "refused_request", _one_line(error))
        flight[number] = request
        return None

    def _step(self, client: Client, flight: dict[str, Request]) -> list[Outcome]:
        """One step of the engine: the outcomes of what it has finished."""
        outputs = client.step()
        self._stats.steps += 1
        outcomes = []
        for output in outputs:
            # Others finished too late: they belong to a run that was given up.
            request = flight.pop(output.request_id, None) if output.finished else None
            if request is not None:
                outcomes.append(self._outcome(request, output))
        return outcomes

    def _outcome(self, request: Request, output: Any) -> Outcome:
        answer = output.outputs[0]
        reason = answer.finish_reason
        usage = Usage(
            prompt=len(output.prompt_token_ids),
            cached=output.num_cached_tokens or 0,
            output=len(answer.token_ids),
        )
        self._stats.count(usage)
        text = answer.text
        if self._texts.decodes and not request.sampling.stop:
            text = self._texts.decode(answer.token_ids, stopped=reason == "stop")
        if reason in ("stop", "length"):
            return Completed(request.key, text, reason, usage)
        message = f"vLLM ended the request with {reason!r}"
        return Failed(request.key, "refused_request", message, usage, text, reason)

    def describe(self) -> dict[str, Any]:
        if self._client is None:
            raise EngineError("the engine is not started")
        return dict(self._description)

    def telemetry(self) -> Telemetry:
        return self._stats.telemetry()


def _one_line(error: Exception) -> str:
    """An error's text without line breaks, and without the clock of a library written in C."""
    text = _C_PREFIX.sub("", " ".join(str(error).split()))
    return text or type(error).__name__
