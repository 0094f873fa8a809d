"""vLLM with its pooling runner: vectors of texts, scores of pairs, classification heads."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from llmbatch.core.errors import EngineError, UsageError
from llmbatch.core.records import Ask, Constraint, Message, Sampling
from llmbatch.engines import hub, model_files, pooling_files, pooling_heads
from llmbatch.engines.config import EngineConfig
from llmbatch.engines.grammar_plan import GrammarPlan
from llmbatch.engines.pooling import Pooling
from llmbatch.engines.vllm import ahead, failure_reasons, versions
from llmbatch.engines.vllm import options as vllm_options
from llmbatch.engines.vllm.client import Client
from llmbatch.engines.vllm.engine import VllmEngine
from llmbatch.engines.vllm.in_flight import VllmSession, one_line
from llmbatch.engines.vllm.pooling_flight import PoolingFlight, PoolingSession
from llmbatch.engines.vllm.pooling_prompts import PoolingPrompts
from llmbatch.sizing.settings import EngineSettings

_TASKS = {"vector": "embed", "cosine": "embed"}
# Said by the model's files and the job, and held by us.
_SET = """
    task pooling_type seq_pooling_type tok_pooling_type use_activation dimensions
    enable_chunked_processing max_embed_len
"""
_OURS = frozenset(_SET.split())
_POOLER = "pooler_config"
# vLLM then goes on without it.
_NO_DENSE = "ST projector loading failed"
_BARE = (
    "the model's tokenizer puts nothing between the two texts of a pair: write what its makers put "
    "around them into --query and --document; control tokens there are sent as text, so a reranker "
    "that needs some (such as <|im_start|>) does not give its makers' scores"
)


def create(config: EngineConfig) -> "PoolingEngine":
    """Check the options and the model's path; load nothing. Raises UsageError."""
    options = vllm_options.check(config.options)
    given = options.get(_POOLER) or {}
    if not isinstance(given, Mapping) or _OURS & given.keys():
        raise UsageError(
            f"engine option {_POOLER!r}: how the model pools is said by its files and by the job "
            "(--pooling, --normalize, --dimensions, --overflow); leave it out"
        )
    return PoolingEngine(config, options, model_files.local_folder(config.model))


class PoolingEngine(VllmEngine):
    """See `llmbatch.engines.base.Engine` for what it promises."""

    _flight = PoolingFlight
    _prompts: PoolingPrompts | None = None

    def pooling(self) -> Pooling:
        """See `llmbatch.engines.pooling.KnowsPooling`."""
        return self._pooling

    @cached_property
    def _pooling(self) -> Pooling:
        config, ask = self._configuration() or {}, self._ask
        if ask.kind == "heads":
            found = pooling_heads.of_heads(config)
        elif ask.kind == "score" and pooling_heads.has_head(config):
            if ask.pooling is not None:
                raise UsageError("--pooling: this model scores by a head of its own: leave it out")
            found = pooling_heads.of_score(config)
        elif ask.kind == "score" and not pooling_files.has_vectors(self._content, ask):
            raise UsageError(
                "this model makes no scores: it has no classification head (config.json) and is no "
                f"embedding model ({pooling_files.MODULES})"
            )
        else:
            found = pooling_files.vectors(self._content, config, ask)
        return self._with_dtype(self._with_length(found), config)

    @property
    def _ask(self) -> Ask:
        assert self._config.ask is not None
        return self._config.ask

    def _content(self, name: str) -> bytes | None:
        """The contents of a small file of the model; None where it has none."""
        if self._folder is None:
            return hub.content(self._config.model, self._commit() or "", name)
        path = self._folder / name
        try:
            return path.read_bytes() if path.is_file() else None
        except OSError as error:
            raise UsageError(f"model: {name} cannot be read: {error.strerror}") from error

    def _with_length(self, found: Pooling) -> Pooling:
        """With the longest text: as vLLM will take it, or shorter as the job has chosen."""
        found = pooling_files.with_length(found, self._configuration() or {}, self._content)
        given, most = self._options.get("max_model_len"), found.max_length
        if not isinstance(given, int) or given < 1:
            return found
        if most is not None and given > most:
            raise UsageError(
                f"engine option 'max_model_len': the model takes texts of {most:,} tokens at most "
                f"({found.sources.get('max_length')}; got {given:,})"
            )
        sources = {**found.sources, "max_length": "max_model_len"}
        return replace(found, max_length=given, sources=sources)

    def _with_dtype(self, found: Pooling, config: Mapping[str, Any]) -> Pooling:
        """With the type that vLLM will compute in: for float32 weights it takes float16."""
        given = self._options.get("dtype")
        stored = config.get("dtype") or config.get("torch_dtype")
        dtype, source = given, "dtype"
        if given in (None, "auto"):
            dtype, source = stored, pooling_files.CONFIG
        if source == pooling_files.CONFIG and stored in ("float32", "float"):
            dtype, source = "float16", "vLLM's choice for float32 weights"
        sources = found.sources if dtype is None else {**found.sources, "dtype": source}
        return replace(found, dtype=dtype, sources=sources)

    def settings_before_start(self) -> EngineSettings:
        known = super().settings_before_start()
        try:
            most = self._pooling.max_length
        except UsageError:  # `check` tells
            most = None
        return known if most is None else replace(known, max_model_len=most)

    def check_ahead(self, sampling: Sampling, constraint: Constraint | None) -> None:
        if constraint is not None:
            raise UsageError(f"--{constraint.kind} is for texts: numbers have no other form")
        ahead.check(self._options, self._configuration(), sampling, None)
        self.pooling()

    def check(self, sampling: Sampling, constraint: Constraint | None) -> None:
        self.check_ahead(sampling, constraint)
        if vllm_options.is_installed():
            versions.require_known()

    def grammar(self, constraint: Constraint) -> GrammarPlan | None:
        return None

    def encode(self, messages: Sequence[Message]) -> list[int] | None:
        prompts = self._known_prompts()
        if prompts is None:
            return None
        limit = None if self._ask.overflow == "fail" else self._pooling.max_length
        try:
            cut = prompts.prompts(messages, self._ask, limit)
        except Exception as error:  # a chat template may raise anything
            raise ValueError(one_line(error)) from error
        return [token for part in cut.parts for token in part.ids]

    def _known_prompts(self) -> PoolingPrompts | None:
        """The way to prompts before the start; None where the tokenizer is not known."""
        tokenizer = self._reader.tokenizer() if self._prompts is None else None
        if tokenizer is not None:
            self._prompts = PoolingPrompts(tokenizer, self._pooling)
        return self._prompts

    def try_chats(self, chats: Sequence[Sequence[Message]]) -> list[str]:
        is_in_one = self._ask.kind == "score" and self._pooling.output != "cosine"
        if is_in_one and (prompts := self._known_prompts()) is not None:
            return [] if prompts.separates else [_BARE]
        are_chats = all(chat and chat[0].role in ("system", "user") for chat in chats)
        return super().try_chats(chats) if are_chats else []

    def _further(self, options: Mapping[str, Any]) -> dict[str, Any]:
        pooler = dict(options.get(_POOLER) or {}) | {"use_activation": False}
        if self._pooling.method is not None:
            pooler["pooling_type"] = self._pooling.method.upper()
        return {"runner": "pooling", _POOLER: pooler}

    def _described(self, client: Client, options: Mapping[str, Any]) -> dict[str, Any]:
        config = client.engine.vllm_config.model_config
        found = self._pooling
        used = str(getattr(config.pooler_config, "seq_pooling_type", None)).lower()
        if found.method is not None and used != found.method:
            raise EngineError(f"vLLM pools by {used}, the model's files say {found.method}")
        if failure_reasons.has_logged(_NO_DENSE, self._config.log_path, self._log_start):
            raise EngineError("vLLM could not load the model's Dense step: see its log, run.log")
        if found.max_length != config.max_model_len:
            sources = {**found.sources, "max_length": "vLLM, by the model's config.json"}
            found = replace(found, max_length=config.max_model_len, sources=sources)
        dtype = str(config.dtype).removeprefix("torch.")
        if dtype != found.dtype:
            found = replace(found, dtype=dtype, sources={**found.sources, "dtype": "vLLM's choice"})
        return {"pooling": found.to_json()}

    def _make_session(
        self, client: Client, described: Mapping[str, Any], options: Mapping[str, Any]
    ) -> VllmSession:
        from vllm import PoolingParams

        session = super()._make_session(client, described, options)
        task = _TASKS.get(self._pooling.output, "classify")
        supported = client.engine.get_supported_tasks()
        if task not in supported:
            raise EngineError(
                f"this vLLM makes no such numbers of this model ({task}; it has: "
                f"{', '.join(map(str, supported)) or 'nothing'})"
            )
        return PoolingSession(
            **vars(session),
            prompts=PoolingPrompts(session.tokenizer, self._pooling),
            pooling=self._pooling,
            template=client.make_template(PoolingParams(task=task, use_activation=False)),
        )
