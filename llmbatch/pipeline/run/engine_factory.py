"""The engines of one run: one after the other, all of the same model."""

import threading
from concurrent.futures import Future

from llmbatch.core.errors import EngineError, UsageError
from llmbatch.engines import registry
from llmbatch.engines.adapter_files import CHANGED
from llmbatch.engines.base import Engine, control_tokens_of
from llmbatch.pipeline.prompts.ready_job import ReadyJob
from llmbatch.pipeline.run.kept_engine import EngineUse
from llmbatch.pipeline.tasks import adapters, engine_config


class IdentityLookup:
    """The identity of an engine's model and its control tokens, looked up in a thread of its own:
    all of the model's files may have to be read for it, and the input is read meanwhile."""

    def __init__(self, engine: Engine) -> None:
        self._found: Future[tuple[dict[str, str], tuple[str, ...] | None]] = Future()
        # A command that ends meanwhile does not wait for it.
        threading.Thread(target=self._find, args=[engine], name="identity", daemon=True).start()

    def _find(self, engine: Engine) -> None:
        try:
            self._found.set_result((engine.identity(), control_tokens_of(engine)))
        except BaseException as error:  # raised where the identity is asked for
            self._found.set_exception(error)

    def identity(self) -> dict[str, str]:
        """The identity, as soon as it is known. Raises what the engine has raised."""
        return self._found.result()[0]

    def control_tokens(self) -> tuple[str, ...] | None:
        """The control tokens, as soon as they are known; None where they cannot be known. Raises
        what the engine has raised."""
        return self._found.result()[1]


class EngineFactory:
    """Makes the engines of a run. `first_engine`: the first of them, for what is asked of an engine
    before the start. Raises UsageError when none can be made."""

    def __init__(self, job: ReadyJob) -> None:
        spec = job.spec
        self._factory = registry.load(spec.engine.name)
        self._config = engine_config.make(spec, job.task, job.paths.log)
        self._spec, self._adapters = spec, self._config.adapters
        self._spare: Engine | None = self._factory(self._config)
        self.first_engine = self._spare

    @property
    def use(self) -> EngineUse:
        """The engine that they all are."""
        return EngineUse(self._spec.engine.name, self._config)

    def next_engine(self) -> Engine:
        """An engine that was not started yet.

        Raises EngineError when the model is not the one that the requests' keys name any more:
        its files, or the branch that it was loaded from, have changed meanwhile.
        """
        engine, self._spare = self._spare or self._factory(self._config), None
        if engine is self.first_engine:
            return engine
        if engine.identity() != self.first_engine.identity():
            raise EngineError("the model has changed since the run began; run the same command")
        if not self._has_same_adapters():
            raise EngineError(CHANGED)
        return engine

    def _has_same_adapters(self) -> bool:
        try:
            return adapters.load(self._spec).by_digest == self._adapters
        except UsageError:  # one is gone
            return False
