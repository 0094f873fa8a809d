"""From rows to requests: render, name by content, put in order."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from llmbatch.batch_files.lines import BodyError
from llmbatch.core.errors import UsageError
from llmbatch.core.messages import json_text, messages_text
from llmbatch.job.gold_set import names_file
from llmbatch.job.shard import Shard
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.prompts import bodies, other_limits
from llmbatch.pipeline.prompts import keys as prompts_keys
from llmbatch.pipeline.prompts.batch_messages import BAD_REQUEST
from llmbatch.pipeline.prompts.needs import EmptyRowError
from llmbatch.pipeline.prompts.other_limits import OtherLimits
from llmbatch.pipeline.prompts.ready_job import ReadyJob
from llmbatch.pipeline.prompts.rendering import MessagesOrError, Renderer
from llmbatch.pipeline.prompts.screening import CONTROL_TOKENS, Screening
from llmbatch.pipeline.prompts.template import TemplateError
from llmbatch.pipeline.rows import gold
from llmbatch.pipeline.rows.columns import check_attribution
from llmbatch.pipeline.tasks import adapters
from llmbatch.pipeline.tasks.adapters import UNKNOWN, UnknownAdapterError
from llmbatch.pipeline.tasks.base import DividesRows, Part
from llmbatch.pipeline.tasks.row_parts import Divide
from llmbatch.store import carrying, plans, shares, snapshots
from llmbatch.store.database import Database
from llmbatch.store.plans import SKIPPED, Plan
from llmbatch.store.rendered_rows import RenderedRow
from llmbatch.store.shares import Share
from llmbatch.store.snapshots import Snapshot

_WINDOW = 20_000
# The name of what is kept of a plan: its digest, and that of the way in which its rows were asked.
_ASKED = "asked"
# A batch ends early once its messages have so many characters.
_CHARACTERS = 64_000_000


def plan(
    db: Database,
    job: ReadyJob,
    snapshot: Snapshot,
    model_identity: Mapping[str, str],
    order: Sequence[str] | None = None,
    screening: Screening | None = None,
    limits: OtherLimits = other_limits.NONE,
    rows: Sequence[int] | None = None,
) -> Plan:
    """The plan of `snapshot` for `job`, or of some of its `rows`; made anew only if something that
    shapes it changed.

    `order` is that of a record's fields (`record_order.decide`); None is the input's. `screening`
    finds rows with control tokens; None where the model is not known. `limits`: those of earlier
    runs, whose answers may do. Raises UsageError when a template names a column that the input does
    not have; NotWholeError where it would be made anew and the store has only a share of the rows.
    """
    spec = job.spec
    _check_response_column(spec, snapshot)
    check_attribution(spec.cost.attribute_by, snapshot)
    gold.check(spec.classify.gold, snapshot)
    if spec.eval.gold is not None and not names_file(spec.eval.gold) and "*" not in spec.eval.gold:
        gold.check(spec.eval.gold, snapshot)
    asking = Asking(job, snapshot, model_identity, order, screening, limits)
    digest = asking.digest
    current = plans.current(db)
    is_same = rows is None and current is not None and current.digest == digest
    if is_same and current is not None and plans.has_long_texts(db, current.plan):
        db.keep(_ASKED, [digest, asking.way])
        return current
    if rows is None and shares.held(db) is not None:
        raise NotWholeError
    adoption, votes = limits.adoption(spec), spec.sampling.vote
    carries = rows is None and adoption is None and asking.carries(db)
    windows: Iterable[list[tuple[int, str]]] = (
        [snapshots.rows_at(db, rows)]
        if rows is not None
        else carrying.others(db)
        if carries
        else snapshots.windows(db, _WINDOW)
    )
    with asking.rendered(windows) as batches:
        made = plans.replace(
            db,
            snapshot.snapshot,
            digest,
            batches,
            asking.repetition_key,
            adoption,
            votes=votes,
            share=asking.share if rows is None else None,
            carries=carries,
        )
    db.keep(_ASKED, [digest, asking.way])
    return made


class NotWholeError(Exception):
    """The store has only a share of the rows, and all are needed."""


class Asking:
    """The way in which the rows of a snapshot are asked: their prompts and their keys. See
    `plan`."""

    def __init__(
        self,
        job: ReadyJob,
        snapshot: Snapshot,
        model_identity: Mapping[str, str],
        order: Sequence[str] | None = None,
        screening: Screening | None = None,
        limits: OtherLimits = other_limits.NONE,
    ) -> None:
        spec, columns = job.spec, snapshot.source.columns
        self._job = job
        self._prompt = job.prompt.for_rows(order or (), columns)
        self._known = adapters.load(spec)
        if snapshot.row_count:
            self._prompt.check(columns, spec.input.name)
            if not spec.constant_prompt:
                self._prompt.check_use(columns, spec.input.name)
            self._known.check_column(columns, spec.input.name)
        self._screening = screening or Screening(spec, None)
        keys = prompts_keys.KeyMaker(spec, job.task, model_identity)
        dividing = [
            *(job.task.dividing if isinstance(job.task, DividesRows) else ()),
            *self._known.shape,
        ]

        def digest_of(source: str, other_limits: Mapping[int, int] | None) -> str:
            tokens = self._screening.tokens
            return prompts_keys.plan_digest(
                spec, source, keys.base(), order, tokens, other_limits, dividing
            )

        self.digest = digest_of(snapshot.source.digest, limits.tokens)
        """A digest of all that shapes the requests."""
        self.way = digest_of(json_text(list(columns)), limits.tokens)
        """A digest of all that shapes the request of a record, whatever the others are."""
        self.share = _share(spec, digest_of(snapshot.source.digest, None))
        """The share of the rows that is asked; None: all are."""
        others = limits.specs(spec)
        self._keys = [
            keys,
            *(prompts_keys.KeyMaker(other, job.task, model_identity) for other in others),
        ]
        self.repetition_key = prompts_keys.repetition_key if _separate(spec) else None
        """Makes the keys of equal requests; None: they share one."""

    def carries(self, db: Database) -> bool:
        """True if a record that the input before had, too, is asked as it was then."""
        spec = self._job.spec
        if db.carried is None or self.share or self.repetition_key or spec.is_batch or spec.stages:
            return False
        return db.kept(_ASKED) == [db.carried.digest, self.way] and spec.sampling.samples == 1

    @contextmanager
    def rendered(
        self, windows: Iterable[list[tuple[int, str]]]
    ) -> Iterator[Iterator[list[RenderedRow]]]:
        """The rows rendered, in batches that memory holds. `windows`: the rows as (row, data)."""
        spec = self._job.spec
        with Renderer(self._prompt, system_as_user=spec.template.system_as_user) as renderer:
            divide = bodies.divider(self._job.task, self._known)
            found = _batches(windows, renderer, divide, self._keys, self._screening)
            yield (_sampled(batch, spec.sampling.samples) for batch in found)


def _share(spec: JobSpec, asked: str) -> Share | None:
    shard = Shard.of(spec)
    return None if shard is None else Share(*shard, asked, separate=_separate(spec))


def _separate(spec: JobSpec) -> bool:
    """True if each of several equal requests is computed. With sampling they are separate draws;
    greedy ones have one answer, and so have those that are drawn with the same seed."""
    if spec.duplicates == "auto":
        return spec.sampling.temperature > 0 and spec.sampling.seed is None
    return spec.duplicates == "each"


def _batches(
    windows: Iterable[list[tuple[int, str]]],
    renderer: Renderer,
    divide: Divide,
    keys: Sequence[prompts_keys.KeyMaker],
    screening: Screening,
) -> Iterator[list[RenderedRow]]:
    """The rows rendered, in batches that memory holds. `keys`: the maker of their keys, then those
    for other limits."""
    for window in windows:
        batch, size = [], 0
        rendered = renderer.render([data for _, data in window])
        for (row, data), made in zip(window, rendered, strict=True):
            named = _named(row, data, made, divide, keys, screening)
            batch += named
            size += sum(len(one.messages or "") for one in named)
            if size > _CHARACTERS:
                yield batch
                batch, size = [], 0
        yield batch


def _named(
    row: int,
    data: str,
    made: MessagesOrError,
    divide: Divide,
    keys: Sequence[prompts_keys.KeyMaker],
    screening: Screening,
) -> list[RenderedRow]:
    if isinstance(made, TemplateError):
        return [RenderedRow(row, None, made.kind, str(made), None)]
    if isinstance(made, EmptyRowError):
        return [RenderedRow(row, None, SKIPPED, str(made), None)]
    note = screening.note(made)
    if note is not None and screening.rejects:
        return [RenderedRow(row, None, CONTROL_TOKENS, note, None)]
    try:
        parts = divide(data, made)
    except (UnknownAdapterError, BodyError) as error:
        kind = UNKNOWN if isinstance(error, UnknownAdapterError) else BAD_REQUEST
        return [RenderedRow(row, None, kind, str(error), None)]
    made_of = (_of_part(row, part, keys, note) for part in parts)
    if len(parts) == 1:
        return [*made_of]
    return [
        rendered._replace(sample=number, samples=len(parts))
        for number, rendered in enumerate(made_of)
    ]


def _of_part(
    row: int, part: Part, keys: Sequence[prompts_keys.KeyMaker], note: str | None
) -> RenderedRow:
    messages = messages_text(part.messages)
    body = None if part.body is None else json_text(part.body)
    key, *others = (maker.key(messages, body, as_text=note is not None) for maker in keys)
    return RenderedRow(row, key, None, note, messages, body, tuple(others))


def _sampled(batch: list[RenderedRow], samples: int) -> list[RenderedRow]:
    """Each row that has a request so many times, with a key for each sample."""
    if samples == 1:
        return batch
    return [
        each
        for rendered in batch
        for each in ([rendered] if rendered.key is None else _samples(rendered, samples))
    ]


def _samples(rendered: RenderedRow, samples: int) -> Iterator[RenderedRow]:
    assert rendered.key is not None, "a row without a request is not asked"
    for sample in range(samples):
        yield rendered._replace(
            key=prompts_keys.sample_key(rendered.key, sample),
            other_keys=tuple(prompts_keys.sample_key(key, sample) for key in rendered.other_keys),
            sample=sample,
            samples=samples,
        )


def _check_response_column(spec: JobSpec, snapshot: Snapshot) -> None:
    if spec.response_column in snapshot.source.columns:
        raise UsageError(
            f"{spec.input.name}: has a column {spec.response_column!r} already; "
            "name another for the answer with --response-column"
        )
