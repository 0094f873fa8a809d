"""The options and arguments that several commands have, and how a job is read from them."""

import re
import textwrap
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from llmbatch.cli import console
from llmbatch.cli.parameters import file_names
from llmbatch.core.errors import UsageError

if TYPE_CHECKING:
    from llmbatch.cli.job_flags import JobFlag
    from llmbatch.job.spec import JobSpec

F = TypeVar("F", bound=Callable[..., Any])

text_or_json = click.option(
    "--format", "style", type=click.Choice(["text", "json"]), default="text"
)
"""The form of what a command shows."""


def _trust_folders(_context: click.Context, _option: click.Parameter, value: bool) -> None:
    if value:
        from llmbatch.store import trust

        trust.trust_everybody()


trust_state = click.option(
    "--trust-state",
    is_flag=True,
    expose_value=False,
    callback=_trust_folders,
    help="Use a state folder that others own or can write, such as one that a team shares.",
)
"""The flag of every command that looks into a state folder."""


class JobCommand(click.Command):
    """A command with a flag for each field of a job's spec.

    The flags are made when they are parsed or shown: the spec's library takes longer to import
    than all of `llmbatch --help` does. Its help shows the flags that are needed `first`, an
    `example`, and the names of the others; with `--help-all` everything.
    """

    own_first = False
    """True if the help shows the command's own options before those from the spec."""

    def __init__(
        self, *args: Any, first: Sequence[str] = (), example: str = "", **settings: Any
    ) -> None:
        super().__init__(*args, **settings)
        self.first, self.example = first, example

    def flags(self) -> "tuple[JobFlag, ...]":
        """The flags that come from the spec."""
        from llmbatch.cli import job_flags

        return job_flags.all_flags()

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        """The command's own parameters, and the flags from the spec."""
        own = super().get_params(ctx)
        help_all = [_help_all()] if self.first else []
        return [*own[:-1], *help_all, *own[-1:], *self.flags()]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Show the flags under the tables of the job file to which their keys belong, or those
        that are needed first."""
        if self.first and not ctx.meta.get(console.EVERYTHING):
            self._format_first(ctx, formatter)
            return
        sections = self._sections(ctx)
        for title, lines in sections[::-1] if self.own_first else sections:
            with formatter.section(title):
                formatter.write_dl(lines)
        console.write_example(formatter, self.example)

    def _sections(self, ctx: click.Context) -> list[tuple[str, list[tuple[str, str]]]]:
        from llmbatch.cli import job_flags

        spec_flags = {id(flag) for flag in self.flags()}
        options = [
            option
            for option in self.get_params(ctx)
            if isinstance(option, click.Option) and id(option) not in spec_flags
        ]
        records = (option.get_help_record(ctx) for option in options)
        own = ("Options", [*filter(None, records)])
        return [*job_flags.help_sections(self.flags(), ctx), own]

    def _format_first(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        options = {
            flag: option
            for option in self.get_params(ctx)
            if isinstance(option, click.Option)
            for flag in option.opts
        }
        records = [options[flag].get_help_record(ctx) for flag in self.first]
        with formatter.section("Flags to know first"):
            formatter.write_dl([*filter(None, records)])
        console.write_example(formatter, self.example)
        with formatter.section(f"Further flags (`{ctx.command_path} --help-all` explains them)"):
            further = [*self._further(ctx)]
            room = (
                formatter.width - formatter.current_indent - max(len(name) for name, _ in further)
            )
            formatter.write_dl([(name, _broken(flags, room - 4)) for name, flags in further])

    def _further(self, ctx: click.Context) -> Iterator[tuple[str, str]]:
        """The names of the other flags, by their groups."""
        for title, records in self._sections(ctx):
            names = [_long_name(written) for written, _ in records]
            rest = [name for name in names if name and name not in self.first]
            if rest:
                yield title.partition(" ")[0], " ".join(rest)


def _broken(flags: str, columns: int) -> str:
    """Lines of flags, none of which is broken at its hyphens; click is told to leave them."""
    return "\b\n" + textwrap.fill(flags, columns, break_on_hyphens=False)


def _long_name(written: str) -> str:
    """`--keep` of the help's `-k, --keep TEXT`; empty for a key without a flag."""
    found = re.search(r"--[a-z-]+", written)
    return found[0] if found else ""


def _help_all() -> click.Option:
    """The option that shows every flag."""

    def show(ctx: click.Context, _option: click.Parameter, value: bool) -> None:
        if value and not ctx.resilient_parsing:
            ctx.meta[console.EVERYTHING] = True
            console.data(ctx.get_help() + "\n")
            ctx.exit()

    return click.Option(
        ["--help-all"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=show,
        help="Show this message with every flag, and exit.",
    )


class CostCommand(JobCommand):
    """A command with a flag for each field of a job's [cost] table."""

    own_first = True

    def flags(self) -> "tuple[JobFlag, ...]":
        from llmbatch.cli import job_flags

        return job_flags.cost_flags()


@dataclass(frozen=True, slots=True)
class JobArguments:
    """A job as the command line gives it: its file, if it has one; flags in the shape of a job
    file; and whether the file is trusted."""

    job_file: Path | None
    flags: dict[str, Any]
    trusted: bool = False

    @classmethod
    def parse(cls, names: Sequence[str], given: dict[str, Any]) -> "JobArguments":
        """From the arguments of a command with `job_options`, and its other parameters."""
        options = dict(given)
        trusted, pairs = options.pop("trusted"), options.pop("engine_args")
        flags: dict[str, Any] = {}
        for pair in pairs:
            name, value = parse_engine_arg(pair)
            flags.setdefault("engine", {})[name] = value
        for pair in options.pop("template_args"):
            name, value = parse_engine_arg(pair, "--template-arg")
            _put(flags, ["template", "kwargs", name], value)
        if folders := options.pop("adapter_folders"):
            flags["adapters"] = dict(map(_adapter_folder, folders))
        for name, value in given_values(options).items():
            _put(flags, name.split("__"), value)
        if not names:
            if "sql" not in flags.get("input", {}):
                # In place of click, which knows nothing of --sql.
                raise click.UsageError("INPUT...|JOB.toml is missing; or give the input by --sql")
            return cls(None, flags, trusted)
        job, *others = names
        if job_files := [name for name in names if name.endswith(".toml")]:
            if len(names) > 1:
                other = next((name for name in names if name != job_files[0]), job)
                raise UsageError(
                    f"{other}: beside the job file {job_files[0]}: name its inputs with --input"
                )
            return cls(Path(job), flags, trusted)
        given = flags.get("input", {})
        if "files" in given:
            other = given["files"][0]
            raise UsageError(f"two inputs: {job} and {other}; --input goes with a JOB.toml")
        return cls(None, flags | {"input": given | {"files": [job, *others]}}, trusted)

    def load(self, without_output: dict[str, Any] | None = None) -> "JobSpec":
        """The checked spec. `without_output`: see `job.file.load`. Raises UsageError."""
        from llmbatch.job import file

        return file.load(
            self.job_file, self.flags, trusted=self.trusted, without_output=without_output
        )

    def sources(self) -> list[Path]:
        """The files that the spec is read from."""
        from llmbatch.job import file

        return file.sources(self.job_file, self.flags)


def given_values(options: dict[str, Any]) -> dict[str, Any]:
    """The options that were given; those that may be repeated as lists."""
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in options.items()
        if value is not None and value != ()
    }


def _put(table: dict[str, Any], path: Sequence[str], value: Any) -> None:
    for name in path[:-1]:
        table = table.setdefault(name, {})
    table[path[-1]] = value


def _adapter_folder(pair: str) -> tuple[str, str]:
    name, equals, folder = pair.partition("=")
    if not (equals and name and folder):
        raise UsageError(f"--adapter-folder {pair!r}: write NAME=FOLDER")
    return name, folder


def parse_engine_arg(pair: str, flag: str = "--engine-arg") -> tuple[str, Any]:
    """`max_num_seqs=64` with the value read as in TOML; what is not TOML is a string."""
    name, equals, text = pair.partition("=")
    if not equals or not name:
        raise UsageError(f"{flag} {pair!r}: write KEY=VALUE")
    if text in ("True", "False"):
        return name, text == "True"
    try:
        return name, tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):  # not TOML, or a value that Python itself refuses
        return name, text


def job_options(function: F) -> F:
    """Add the argument of a JobCommand, and the switches that are no field of the spec."""
    trust_file = click.option(
        "--trust-job-file",
        "trusted",
        is_flag=True,
        help="Let JOB.toml name code (an engine of its own, or options that make the engine "
        "import or run something) and the variable of a server's key. Only for files whose author "
        "you trust.",
    )
    argument = click.argument(
        "job", metavar="INPUT...|JOB.toml", nargs=-1, shell_complete=file_names
    )
    return argument(trust_state(trust_file(function)))


def kept_job(function: F) -> F:
    """Add the argument that names a job with a state folder."""
    argument = click.argument("job", type=click.Path(path_type=Path), metavar="JOB")
    return argument(trust_state(function))


def check_text(arguments: Iterable[str]) -> None:
    """Raise UsageError for an argument with bytes that are no text: none could be kept or shown."""
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError as error:
            raise UsageError(
                f"argument {argument[:80]!r}: is not UTF-8 text "
                f"(character {error.start + 1}); a file of such a name needs another one"
            ) from error
