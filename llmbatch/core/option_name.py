"""The spelling of an engine option: `--max-num-seqs` and `max_num_seqs` are the same one."""

from collections.abc import Iterable


def plain_name(written: str) -> str:
    """An option's name as engines know it, however it was written."""
    return written.lstrip("-").replace("-", "_")


def written_names(options: Iterable[str]) -> dict[str, str]:
    """The names as they were written, by their plain ones."""
    return {plain_name(written): written for written in options}
