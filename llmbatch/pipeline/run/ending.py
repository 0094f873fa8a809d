"""The end of a run that has begun."""

from contextlib import suppress
from dataclasses import asdict

from llmbatch.core.errors import ExitCode, LlmbatchError, UnwrittenError
from llmbatch.pipeline.run.changes import Publication
from llmbatch.pipeline.run.context import Context
from llmbatch.store import inspection, runs
from llmbatch.store.database import Database


def end(
    db: Database,
    context: Context,
    run: int,
    reason: str,
    code: ExitCode,
    published: Publication | None = None,
) -> None:
    """Record the end of a run. What it has `published` is what the next one compares with only once
    that is recorded: a run that dies before is compared again."""
    ended = runs.end(db, run, reason, code, asdict(context.timings))
    if published is not None:
        context.status.note(changes=None if published.found is None else asdict(published.found))
        with suppress(UnwrittenError):
            published.keep(db, run)
    if context.copies is not None:
        context.copies.end()  # nothing can be folded while a copy is made
    # The log can stay as it is when there is no room to fold it into the store.
    with suppress(UnwrittenError):
        db.compact()
    if published is not None and not published.is_same:
        with suppress(LlmbatchError, OSError):  # the run is over; the next one will tell
            inspection.note_sound(db)
    db.keep_known()
    context.show_end(reason, code, ended)
    names = {ExitCode.OK: "finished", ExitCode.INCOMPLETE: "finished", ExitCode.ENGINE: "failed"}
    context.observer.event(names.get(code, "stopped"), reason=reason, exit_code=int(code))
