"""The keys of a job that are of no use for its task: one that was given would be ignored."""

from llmbatch.core.errors import UsageError
from llmbatch.job.fields import Affects, Section, effect, given_keys
from llmbatch.job.flags import flag_name
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.tasks.base import Task

# The tables that one task alone has, and its name.
_OF_ONE = ("score", "embed", "classify")

LINE_SAYS = (
    "each line of a batch file says that itself: leave it out, or have the file read as rows "
    "(--input-format jsonl)"
)


def require(spec: JobSpec, task: Task) -> None:
    """Raise UsageError for a key that shapes answers, is not as it is by default, and stands in a
    table that the task does not have."""
    for table, field in JobSpec.model_fields.items():
        section = getattr(spec, table)
        is_other = effect(field) is Affects.ANSWER and table not in (*task.sections, task.name)
        if is_other and isinstance(section, Section):
            for name in given_keys(section):
                flag = flag_name(f"{table}.{name}")
                if spec.is_batch:
                    raise UsageError(f"{flag}: {LINE_SAYS}")
                hint = f"it is for --task {table}" if table in _OF_ONE else "leave it out"
                raise UsageError(f"{flag}: not for --task {task.name}; {hint}")
