"""The flags of a job, shared by the commands that take one."""

import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from llmbatch.core.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])

# Flag, its place in the job file, its type, its help. A tuple keeps --help in this order.
_FLAGS: tuple[tuple[tuple[str, ...], str, Any, str], ...] = (
    (("-i", "--input"), "input", str, "Input, if the job is given as JOB.toml."),
    (("-o", "--output"), "output", str, "Output file: .jsonl, .csv or .parquet."),
    (("-m", "--model"), "model", str, "Folder or name of the model."),
    (("-p", "--prompt"), "prompt", str, "Jinja2 template; columns are variables. @FILE reads it."),
    (("--system",), "system", str, "Template of the system message. @FILE reads it."),
    (("--input-format",), "input_format", click.Choice(["csv", "tsv", "jsonl"]),
     "Format of the input, if its name does not say; needed for stdin."),
    (("--id-column",), "id_column", str, "Column that names a row; must be unique."),
    (("--state",), "state", str, "State folder [default: OUTPUT with the suffix .llmbatch]."),
    (("--response-column",), "response_column", str, "Column of the answer [default: response]."),
    (("--record-order",), "record_order", str,
     "Order of the fields of {{ record }}: auto, input, or columns a,b,c [default: auto]."),
    (("--duplicates",), "duplicates", click.Choice(["auto", "once", "each"]),
     "Compute equal requests once or each [default: each if drawn without a seed, else once]."),
    (("--regex",), "answer.regex", str, "The whole answer must match this pattern."),
    (("--schema",), "answer.schema", str, "The answer must be JSON of this schema (a file)."),
    (("--temperature",), "sampling.temperature", float, "0 is greedy [default: 0]."),
    (("--top-p",), "sampling.top_p", float, "Nucleus sampling [default: 1]."),
    (("--top-k",), "sampling.top_k", int, "Keep the k likeliest tokens [default: all]."),
    (("--min-p",), "sampling.min_p", float, "Drop tokens below this share of the likeliest."),
    (("--max-tokens",), "sampling.max_tokens", int, "Longest answer, in tokens [default: 512]."),
    (("--seed",), "sampling.seed", int, "Makes sampling repeatable."),
    (("--engine",), "engine.name", str, "vllm, or module:factory [default: vllm]."),
    (("--price-per-hour",), "cost.price_per_hour", float, "Price of one device for one hour."),
    (("--devices",), "cost.devices", int,
     "How many devices the engine uses [default: as its options say]."),
    (("--currency",), "cost.currency", str, "Shown beside amounts [default: USD]."),
    (("--price-per-million",), "cost.price_per_million", str,
     "Price of a million tokens, IN/OUT[/CACHED], of an engine that is paid by the token."),
    (("--listed-price",), "cost.listed_price", str,
     "A price to compare with, for a million tokens: IN/OUT[/CACHED]."),
    (("--attribute-by",), "cost.attribute_by", str,
     "Divide the cost by the values of these columns: a,b,c."),
    (("--metrics-file",), "run.metrics_file", str,
     "Keep a Prometheus textfile (*.prom) up to date, for node_exporter's textfile collector."),
    (("--chunk-size",), "run.chunk_size", int, "Requests in a chunk [default: 4096]."),
    (("--checkpoint-rows",), "run.checkpoint_rows", int,
     "Commit after this many outcomes [default: 256]."),
    (("--checkpoint-seconds",), "run.checkpoint_seconds", float,
     "Commit after this many seconds [default: 2]."),
    (("--attempts",), "run.attempts", int,
     "Tries of a request that was cut off or broke its constraint [default: 2]."),
    (("--max-failed",), "run.max_failed", str,
     "Exit 0 with up to this many rows failed or rejected: 20 or 2%."),
    (("--fail-fast",), "run.fail_fast", str,
     "Stop when more of the last outcomes failed: 50% (of 100) or 50%/200."),
    (("--deadline",), "run.deadline", str,
     "Be done by a time of day (06:00) or after a duration (2h, 1h30m)."),
    (("--max-cost",), "run.max_cost", float,
     "Spend no more than this in this run, but for the end of what is in flight; needs "
     "--price-per-hour or --price-per-million."),
    (("--max-rows",), "run.max_rows", int, "Send no more than this many requests in this run."),
    (("--grace",), "run.grace", float,
     "Seconds to finish what is in flight after a signal [default: 20]."),
    (("--stall-timeout",), "run.stall_timeout", float,
     "Restart the engine after this many seconds without progress [default: 300]."),
    (("--engine-restarts",), "run.engine_restarts", int,
     "Give up after this many restarts in a row that bring nothing [default: 5]."),
    (("--if-locked",), "run.if_locked", click.Choice(["fail", "skip", "wait"]),
     "What to do when another run holds the job [default: fail]."),
)  # fmt: skip

_LISTS: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (("--choice",), "answer.choice", "An allowed answer; repeat it for each."),
    (("--stop",), "sampling.stop", "A string that ends the answer; may be repeated."),
)


def _trust_state(_context: click.Context, _option: click.Parameter, value: bool) -> None:
    if value:
        from llmbatch.store import trust

        trust.trust_everybody()


def _trusting(function: F) -> F:
    """Add the flag of every command that looks into a state folder."""
    return click.option(
        "--trust-state", is_flag=True, expose_value=False, callback=_trust_state,
        help="Use a state folder that others own or can write, such as one that a team shares.",
    )(function)  # fmt: skip


def job_options(function: F) -> F:
    """Add every job flag; the function gets them as keyword arguments by their places."""
    function = click.option(
        "--engine-arg", "engine_args", multiple=True, metavar="KEY=VALUE",
        help="Any option of the engine's own; may be repeated.",
    )(function)  # fmt: skip
    function = click.option(
        "--trust-job-file", "trusted", is_flag=True,
        help="Let JOB.toml name code: an engine of its own, or options that make the engine "
        "import or run something. Only for files whose author you trust.",
    )(function)  # fmt: skip
    function = click.option(
        "--meta/--no-meta", "meta", default=None,
        help="Add finish reason, attempts, tokens, request and run to the output. Where the "
        "input has a column of such a name, it is called response_NAME.",
    )(function)  # fmt: skip
    for names, place, text in reversed(_LISTS):
        option = click.option(*names, place.replace(".", "__"), multiple=True, help=text)
        function = option(function)
    for names, place, kind, text in reversed(_FLAGS):
        function = click.option(*names, place.replace(".", "__"), type=kind, help=text)(function)
    return click.argument("job", metavar="INPUT|JOB.toml")(_trusting(function))


def kept_job(function: F) -> F:
    """Add the argument that names a job with a state folder."""
    add = click.argument("job", type=click.Path(path_type=Path), metavar="JOB")
    return add(_trusting(function))


def cost_options(function: F) -> F:
    """Add the flags of a job's [cost] table; the function gets them by their places. What is not
    given is as in the job, so that no default is told."""
    for names, place, kind, text in reversed(_FLAGS):
        if place.startswith("cost."):
            told = text.partition(" [default")[0].removesuffix(".") + "."
            add = click.option(*names, place.replace(".", "__"), type=kind, help=told)
            function = add(function)
    return _trusting(function)


def costs(given: dict[str, Any]) -> dict[str, Any]:
    """What was given by `cost_options`, in the shape of a job's [cost] table."""
    return {
        place.removeprefix("cost__"): value for place, value in given.items() if value is not None
    }


def check_text(arguments: Sequence[str]) -> None:
    """Raise UsageError for an argument with bytes that are no text: none could be kept or shown."""
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError as error:
            raise UsageError(
                f"argument {argument[:80]!r}: is not UTF-8 text "
                f"(character {error.start + 1}); a file of such a name needs another one"
            ) from error


def split(job: str, given: dict[str, Any]) -> tuple[Path | None, dict[str, Any], bool]:
    """The job file, if `job` is one; the given flags in the shape of a job file; and whether the
    file is trusted."""
    flags: dict[str, Any] = {}
    trusted = given.pop("trusted")
    for pair in given.pop("engine_args"):
        name, value = engine_arg(pair)
        flags.setdefault("engine", {})[name] = value
    for place, value in given.items():
        if value is not None and value != ():
            _put(flags, place.split("__"), list(value) if isinstance(value, tuple) else value)
    if job.endswith(".toml"):
        return Path(job), flags, trusted
    if "input" in flags:
        raise UsageError(f"two inputs: {job} and {flags['input']}; --input goes with a JOB.toml")
    return None, flags | {"input": job}, trusted


def _put(table: dict[str, Any], place: list[str], value: Any) -> None:
    for part in place[:-1]:
        table = table.setdefault(part, {})
    table[place[-1]] = value


def engine_arg(pair: str) -> tuple[str, Any]:
    """`max_num_seqs=64` with the value read as in TOML; what is not TOML is a string."""
    name, equals, text = pair.partition("=")
    if not equals or not name:
        raise UsageError(f"--engine-arg {pair!r}: write KEY=VALUE")
    if text in ("True", "False"):
        return name, text == "True"
    try:
        return name, tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):  # not TOML, or a value that Python itself refuses
        return name, text
