"""The flags of a job are made of what its spec declares, and reach it."""

from pathlib import Path
from typing import Any

import click
import pytest

from llmbatch.cli import console, job_flags
from llmbatch.cli.main import cli
from llmbatch.cli.options import JobArguments
from llmbatch.core.errors import UsageError
from llmbatch.job.fields import default_text, leaves
from llmbatch.job.flags import flag_name
from llmbatch.job.spec import JobSpec

FIELDS = dict(leaves(JobSpec))
ONLY_IN_A_FILE = {f"sampling.{name}_penalty" for name in ("repetition", "presence", "frequency")}
ONLY_IN_A_FILE |= {"classify.descriptions", "stages"}
NEEDED = ["in.csv", "-o", "out.csv", "-m", "m", "-p", "p"]
# A value for each flag, and what the spec makes of it where that is not the same.
GIVEN: dict[str, tuple[str, Any]] = {
    "output": ("o.csv", "o.csv"),
    "model": ("n", "n"),
    "prompt": ("q", "q"),
    "input.format": ("tsv", "tsv"),
    "input.delimiter": ("tab", "\t"),
    "input.quote": ("none", "none"),
    "input.escape": ("\\", "\\"),
    "input.encoding": ("latin1", "iso8859-1"),
    "input.skip_lines": ("3", 3),
    "input.null": ("NA", ("NA",)),
    "input.json_path": ("data", "data"),
    "input.nan": ("null", "null"),
    "input.sheet": ("two", "two"),
    "input.min_rows": ("7", 7),
    "input.max_shrink": ("20%", "20%"),
    "input.max_drift": ("none", "none"),
    "input.drift_window": ("7", 7),
    "input.sql_timeout": ("2m", 120.0),
    "input.where": ("a = '1'", "a = '1'"),
    "input.limit": ("5", 5),
    "input.offset": ("5", 5),
    "id_column": ("id", "id"),
    "state": ("s", "s"),
    "response_column": ("r", "r"),
    "system": ("s", "s"),
    "example_answer": ("c", "c"),
    "messages": ("c", "c"),
    "prefill": ("It", "It"),
    "require": ("c", ("c",)),
    "keep": ("skipped,failed", ("skipped", "failed")),
    "output_format": ("csv", "csv"),
    "table": ("t", "t"),
    "task": ("embed", "embed"),
    "adapter": ("red", "red"),
    "adapter_column": ("c", "c"),
    "columns": ("a,b", ("a", "b")),
    "record_order": ("a,b", ("a", "b")),
    "duplicates": ("each", "each"),
    "control_tokens": ("reject", "reject"),
    "sampling.temperature": ("0.5", 0.5),
    "sampling.top_p": ("0.5", 0.5),
    "sampling.top_k": ("7", 7),
    "sampling.min_p": ("0.5", 0.5),
    "sampling.max_tokens": ("7", 7),
    "sampling.seed": ("7", 7),
    "sampling.stop": ("s", ("s",)),
    "sampling.samples": ("7", 7),
    "answer.choice": ("c", ("c",)),
    "answer.regex": ("r", "r"),
    "classify.label_tokens": ("all", "all"),
    "classify.gold": ("g", "g"),
    "eval.gold": ("g", "g"),
    "signs.off": ("echo,length", ("echo", "length")),
    "signs.language": ("de", "de"),
    "signs.grounded": ("total", ("total",)),
    "signs.echo_share": ("0.7", 0.7),
    "signs.repeated_share": ("0.7", 0.7),
    "signs.length_deviations": ("3", 3.0),
    "signs.language_probability": ("0.9", 0.9),
    "signs.one_label_share": ("0.9", 0.9),
    "eval.on": ("c", "c"),
    "eval.first": ("7", 7),
    "eval.min": ("accuracy=95%", {"accuracy": 0.95}),
    "score.query": ("{{ q }}", "{{ q }}"),
    "score.document": ("{{ d }}", "{{ d }}"),
    "score.top": ("3", 3),
    "score.group_by": ("q", "q"),
    "template.thinking": ("20", 20),
    "answer.constrain": ("check", "check"),
    "embed.dimensions": ("7", 7),
    "embed.pooling": ("mean", "mean"),
    "embed.prompt_name": ("query", "query"),
    "embed.overflow": ("split", "split"),
    "embed.vector_dtype": ("float16", "float16"),
    "engine.name": ("a:b", "a:b"),
    "engine.replicas": ("2..4", "2..4"),
    "engine.base_url": ("http://h/v1", ("http://h/v1",)),
    "engine.api_key_env": ("KEY", "KEY"),
    "engine.address": ("auto", "auto"),
    "cost.price_per_hour": ("7", 7.0),
    "cost.devices": ("7", 7),
    "cost.currency": ("EUR", "EUR"),
    "cost.attribute_by": ("a,b", ("a", "b")),
    "run.chunk_size": ("7", 7),
    "run.checkpoint_rows": ("7", 7),
    "run.checkpoint_seconds": ("7", 7.0),
    "run.attempts": ("7", 7),
    "run.feedback_text": ("Again: {{ reason }}", "Again: {{ reason }}"),
    "run.repetition": ("7", 7),
    "run.on_truncated": ("keep", "keep"),
    "run.engine_restarts": ("7", 7),
    "run.stall_timeout": ("7", 7.0),
    "run.grace": ("7", 7.0),
    "run.deadline": ("2h", "2h"),
    "run.max_cost": ("7", 7.0),
    "run.max_rows": ("7", 7),
    "run.max_failed": ("2%", "2%"),
    "run.max_new_failed": ("0", "0"),
    "run.fail_fast": ("2%", "2%"),
    "run.expect_reuse": ("90%", "90%"),
    "run.max_churn": ("5%", "5%"),
    "run.shard": ("2/8", "2/8"),
    "run.if_locked": ("skip", "skip"),
    "run.device_lock": ("wait", "wait"),
    "run.metrics_file": ("m.prom", "m.prom"),
    "run.reports": ("r.md", ("r.md",)),
}


SWITCHES = {
    "all_stages",
    "classify.list_labels",
    "signs.look",
    "sampling.vote",
    "run.feedback",
    "embed.normalize",
    "batch.any_model",
    "input.header",
    "template.system_as_user",
    "meta",
    "excel",
    "overwrite",
    "constant_prompt",
    "ask_empty",
    "raw",
}


def full_help(name: str) -> str:
    """The help with every flag."""
    context = click.Context(cli.commands[name])
    context.meta[console.EVERYTHING] = True
    return cli.commands[name].get_help(context)


def load(*more: str, command: str = "run") -> JobSpec:
    """The spec that a command makes of these flags."""
    context = cli.commands[command].make_context(command, [*NEEDED, *more])
    given = {name: context.params[name] for name in context.params if name != "job"}
    reports = tuple(str(path) for path in given.pop("reports", ()))
    own = ("fresh", "log_json", "quiet", "verbose", "notify")
    flags = {name: given[name] for name in given if name not in own} | {"run__reports": reports}
    return JobArguments.parse(["in.csv"], flags).load()


def value(spec: JobSpec, key: str) -> Any:
    found: Any = spec
    for name in key.split("."):
        found = getattr(found, name)
    return found


@pytest.mark.parametrize("key", GIVEN)
def test_a_flag_reaches_its_key(key: str) -> None:
    text, read = GIVEN[key]
    assert value(load(flag_name(key), text), key) == read


def test_flags_of_other_kinds_reach_their_keys(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text("{}")
    assert load("--schema", str(tmp_path / "s.json")).answer.json_schema == {}
    assert [load(flag).meta for flag in ("--meta", "--no-meta")] == [True, False]
    assert load("--engine-arg", "a=1", "--engine-arg", "b=x").engine.options == {"a": 1, "b": "x"}
    (tmp_path / "t.jinja").write_text("{{ messages }}")
    assert load("--chat-template", str(tmp_path / "t.jinja")).template.chat_template == (
        "{{ messages }}"
    )
    given = load("--template-arg", "thinking=false", "--template-arg", "effort=low").template.kwargs
    assert given == {"thinking": False, "effort": "low"}
    assert [load("--thinking", text).template.thinking for text in ("off", "on")] == ["off", "on"]
    assert load("--system-as-user").template.system_as_user
    assert load("--vote").sampling.vote
    assert load("--feedback").run.feedback
    prices = load("--price-per-million", "1/2", "--listed-price", "3/4/5").cost
    assert (prices.price_per_million, prices.listed_price) != (None, None)
    assert load("--choice", "a", "--choice", "b").answer.choice == ("a", "b")
    (tmp_path / "e.csv").write_text("t,response\nx,y\n")
    assert load("--examples", str(tmp_path / "e.csv")).examples == ('{"t":"x","response":"y"}',)
    assert load("--raw").raw
    (rule,) = load("--check", "short: length(response) < 9").check
    assert (rule.name, rule.rule, rule.on_fail) == ("short", "length(response) < 9", "retry")


def test_a_query_stands_in_place_of_an_input() -> None:
    given = cli.commands["run"].make_context("run", [*NEEDED[1:], "--sql", "SELECT 1"]).params
    assert not given["job"]
    assert given["input__sql"] == "SELECT 1"
    with pytest.raises(UsageError, match="names files and a query"):
        load("--sql", "SELECT 1")


@pytest.mark.parametrize("text", ['"false"', "'True'", "' true '"])
def test_a_switch_that_is_a_text_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=r"^--template-arg: thinking: .* is a text; write (tr|fa)"):
        load("--template-arg", f"thinking={text}")


def test_every_key_has_a_flag_or_stands_in_a_file_only() -> None:
    others = {
        "input.files",
        "input.sql",
        "answer.schema",
        "examples",
        "cost.price_per_million",
        "cost.listed_price",
    } | SWITCHES
    others |= {"template.chat_template", "template.kwargs", "adapters"}
    others |= {"classify.labels", "check"}
    assert GIVEN.keys() | others | ONLY_IN_A_FILE == FIELDS.keys()
    shown = full_help("run")
    for key in FIELDS:
        name = key.rpartition(".")[2] if key in ONLY_IN_A_FILE else flag_name(key)
        assert f"  {name} " in shown or f", {name} " in shown, name


def test_what_is_not_given_is_not_passed_on() -> None:
    context = cli.commands["run"].make_context("run", ["in.csv"])
    names = {flag.name for flag in job_flags.all_flags()}
    assert {context.params[name] for name in names if name} <= {None, ()}


@pytest.mark.parametrize("key", FIELDS)
def test_every_field_is_described_by_a_sentence(key: str) -> None:
    text = FIELDS[key].description or ""
    assert text.endswith(".")
    assert text[0] == text[0].upper()


def test_the_help_has_the_defaults_and_bounds_of_the_spec() -> None:
    by_name = {flag.name: flag.help or "" for flag in job_flags.all_flags()}
    for key, field in FIELDS.items():
        if (default := default_text(field)) and key not in ONLY_IN_A_FILE:
            assert f"default: {default}]." in by_name[key.replace(".", "__")]
    assert "[0 to 2; default: 0]" in by_name["sampling__temperature"]
    assert "[above 0, up to 1; default: 1]" in by_name["sampling__top_p"]
    assert "[default: 512]" in by_name["sampling__max_tokens"]


def test_the_help_shows_flags_by_the_tables_of_a_job_file() -> None:
    shown = full_help("plan")
    titles = [line.split()[0] for line in shown.splitlines() if line.startswith("[")]
    assert titles == [
        "[input]",
        "[sampling]",
        "[answer]",
        "[classify]",
        "[score]",
        "[embed]",
        "[template]",
        "[batch]",
        "[engine]",
        "[signs]",
        "[cost]",
        "[eval]",
        "[run]",
    ]


def test_a_report_has_the_flags_of_cost_without_their_defaults() -> None:
    command = cli.commands["report"]
    flags = [param for param in command.get_params(click.Context(command)) if "__" in param.name]
    assert {flag.name for flag in flags} == {
        key.replace(".", "__") for key in FIELDS if key.startswith("cost.")
    }
    assert not any("default" in (getattr(flag, "help", None) or "") for flag in flags)
