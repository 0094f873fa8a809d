"""The adapters of a job: which of them answers a row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from llmbatch.core import exact_json
from llmbatch.core.errors import UsageError, nearest
from llmbatch.core.messages import body_of
from llmbatch.engines import adapter_files
from llmbatch.job.spec import JobSpec

FIELD = "adapter"
"""In the body of a request: the digest of the adapter that answers it."""
_BEGINNING = f'{{"{FIELD}":'
UNKNOWN = "unknown_adapter"
"""The kind of failure of a row that names none of the job's adapters."""


class UnknownAdapterError(Exception):
    """A row that names no adapter of the job; the message says which there are."""


@dataclass(frozen=True, slots=True)
class Adapters:
    """`digests` and `folders` by name; `usual`: the name of that of a row which names none, and
    `column` the column in which a row names one."""

    digests: Mapping[str, str]
    folders: Mapping[str, str]
    usual: str | None
    column: str | None

    @property
    def by_digest(self) -> dict[str, str]:
        """The folders by digest."""
        return {self.digests[name]: folder for name, folder in self.folders.items()}

    @property
    def shape(self) -> list[Any]:
        """JSON of all that decides which adapter a row gets; empty for a job without any."""
        if not self.digests:
            return []
        usual = self.digests.get(self.usual or "")
        named = dict(sorted(self.digests.items())) if self.column else {}
        return [{"usual": usual, "column": self.column, "named": named}]

    def check_column(self, columns: Sequence[str], source: str) -> None:
        """Raise UsageError for a column that the input does not have."""
        if self.column is not None and self.column not in columns:
            raise UsageError(
                f"--adapter-column: no column {self.column!r} in {source}"
                f"{nearest(self.column, columns)}; columns: {', '.join(columns[:20]) or 'none'}"
            )

    def of_row(self, data: str) -> str | None:
        """The digest of the adapter of a row (JSON); None for none. Raises UnknownAdapterError."""
        name = self.usual
        if self.column is not None:
            value = exact_json.parse_record(data).get(self.column)
            name = str(value).strip() if value not in (None, "") else ""
            name = name or self.usual
        if not name:
            return None
        if name not in self.digests:
            known = ", ".join(sorted(self.digests)[:20])
            raise UnknownAdapterError(
                f"column {self.column}: no adapter {name[:80]!r}{nearest(name, self.digests)}; "
                f"adapters: {known}"
            )
        return self.digests[name]


NO_ADAPTERS = Adapters({}, {}, None, None)


def load(spec: JobSpec) -> Adapters:
    """The adapters of a job, by their files. Raises UsageError for one that is not there, and for
    settings that use none."""
    folders = dict(spec.adapters)
    usual = spec.adapter
    if usual is not None and usual not in folders:
        if not Path(usual).is_dir():
            raise UsageError(
                f"--adapter {usual}: no such folder, and no name of [adapters]"
                f"{nearest(usual, folders)}"
            )
        folders[usual] = usual
    if not folders:
        if spec.adapter_column is not None:
            raise UsageError(
                "--adapter-column: the job has no adapters; name them by --adapter-folder "
                "NAME=FOLDER, or in the table [adapters]"
            )
        return NO_ADAPTERS
    if usual is None and spec.adapter_column is None:
        raise UsageError(
            "the job has adapters and no row uses one: give --adapter NAME, or --adapter-column"
        )
    wanted = folders if spec.adapter_column is not None else {str(usual): folders[str(usual)]}
    try:
        digests = {name: adapter_files.read(Path(at)).digest() for name, at in wanted.items()}
    except UsageError as error:
        raise UsageError(f"adapter {error}") from error
    return Adapters(digests, wanted, usual, spec.adapter_column)


def parted(body: str | None) -> tuple[str | None, Mapping[str, Any] | None]:
    """The digest of the adapter in a stored body, and what the task has asked for."""
    whole = body_of(body)
    if whole is None or FIELD not in whole:
        return None, whole
    return whole[FIELD], {name: whole[name] for name in whole if name != FIELD} or None


def is_named(body: str | None) -> bool:
    """True if a stored body names an adapter, which it begins with."""
    return body is not None and body.startswith(_BEGINNING)
