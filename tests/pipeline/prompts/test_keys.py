"""Request keys hold all that can change an answer, and nothing else."""

from typing import Any

import pytest
from pydantic import BaseModel, Field

from llmbatch.core.messages import json_text, messages_text
from llmbatch.core.records import Message
from llmbatch.job.fields import Affects, answer
from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.prompts import job_prompt, keys
from llmbatch.pipeline.prompts.keys import KeyMaker
from llmbatch.pipeline.prompts.pieces import pieces_of
from llmbatch.pipeline.prompts.rendering import Renderer
from llmbatch.pipeline.prompts.template import Prompt
from llmbatch.pipeline.tasks import registry

MODEL = {"name": "tiny", "fingerprint": "sha256:00"}
BASE: dict[str, Any] = {"input": "a.csv", "output": "b.jsonl", "model": "m", "prompt": "{{ t }}"}
MESSAGES = messages_text([Message("user", "hello")])

# Another value than the default for every field of the spec. A new field needs a line here.
ALTERNATIVES: dict[str, Any] = {
    "stages": [{"model": "m"}, {"model": "n"}],
    "all_stages": True,
    "input.files": ["other.csv"],
    "input.format": "tsv",
    "input.delimiter": ";",
    "input.quote": "'",
    "input.escape": "\\",
    "input.encoding": "cp1252",
    "input.skip_lines": 2,
    "input.header": False,
    "input.null": ["NA"],
    "input.json_path": "data",
    "input.nan": "null",
    "input.sheet": "two",
    "input.min_rows": 7,
    "input.max_shrink": "20%",
    "input.max_drift": "none",
    "input.drift_window": 7,
    "input.sql": "SELECT 1",
    "input.sql_timeout": 3.0,
    "input.where": "t = 1",
    "input.limit": 7,
    "input.offset": 7,
    "id_column": "id",
    "output": "other.csv",
    "output_format": "csv",
    "table": "t",
    "task": "embed",
    "adapter": "red",
    "adapter_column": "t",
    "adapters": {"red": "folder"},
    "columns": ["t"],
    "excel": True,
    "overwrite": True,
    "state": "elsewhere",
    "response_column": "said",
    "meta": True,
    "constant_prompt": True,
    "require": ["t"],
    "ask_empty": True,
    "keep": "skipped",
    "check": ["short: length(response) < 9"],
    "model": "other name of the same model",
    "prompt": "Say {{ t }}",
    "system": "Be brief",
    "examples": [{"t": "q", "response": "a"}],
    "example_answer": "right",
    "messages": "m",
    "prefill": "It is",
    "raw": True,
    "record_order": ["u"],
    "duplicates": "each",
    "control_tokens": "reject",
    "sampling.temperature": 0.5,
    "sampling.top_p": 0.9,
    "sampling.top_k": 5,
    "sampling.min_p": 0.1,
    "sampling.max_tokens": 7,
    "sampling.seed": 0,
    "sampling.stop": ["\n"],
    "sampling.repetition_penalty": 1.1,
    "sampling.presence_penalty": 0.5,
    "sampling.frequency_penalty": 0.5,
    "sampling.samples": 3,
    "sampling.vote": True,
    "answer.choice": ["a", "b"],
    "answer.schema": {"type": "object"},
    "answer.regex": "a+",
    "answer.constrain": "check",
    "classify.labels": ["a", "c"],
    "classify.descriptions": {"a": "the first"},
    "classify.label_tokens": "all",
    "classify.list_labels": False,
    "classify.gold": "t",
    "score.query": "{{ t }}",
    "score.document": "{{ u }}",
    "score.top": 3,
    "score.group_by": "t",
    "template.chat_template": "{{ messages[0].content }}",
    "template.kwargs": {"enable_thinking": False},
    "template.system_as_user": True,
    "template.thinking": 20,
    "embed.dimensions": 4,
    "embed.normalize": False,
    "embed.pooling": "mean",
    "embed.prompt_name": "query",
    "embed.overflow": "split",
    "embed.vector_dtype": "float16",
    "batch.any_model": True,
    "engine.name": "tests.scripted_engine:create",
    "engine.replicas": "2..4",
    "engine.base_url": ["http://localhost:8000/v1"],
    "engine.api_key_env": "SERVER_KEY",
    "engine.address": "auto",
    "eval.gold": "t",
    "signs.look": False,
    "signs.off": ("echo",),
    "signs.language": "de",
    "signs.grounded": ("total",),
    "signs.echo_share": 0.7,
    "signs.repeated_share": 0.7,
    "signs.length_deviations": 3.0,
    "signs.language_probability": 0.9,
    "signs.one_label_share": 0.9,
    "eval.on": "t",
    "eval.first": 7,
    "eval.min": {"accuracy": 0.9},
    "cost.price_per_hour": 2.5,
    "cost.devices": 2,
    "cost.currency": "EUR",
    "cost.price_per_million": "0.15/0.60",
    "cost.listed_price": {"name": "a shop", "input": 1, "output": 2, "cached": 0.5},
    "cost.attribute_by": ["team"],
    "run.chunk_size": 10,
    "run.checkpoint_rows": 10,
    "run.checkpoint_seconds": 9.0,
    "run.attempts": 5,
    "run.feedback": True,
    "run.feedback_text": "Again",
    "run.repetition": "off",
    "run.on_truncated": "keep",
    "run.engine_restarts": 0,
    "run.stall_timeout": 60.0,
    "run.grace": 5.0,
    "run.deadline": "06:00",
    "run.max_cost": 10.0,
    "run.max_rows": 100,
    "run.max_failed": "2%",
    "run.max_new_failed": "0",
    "run.expect_reuse": "90%",
    "run.max_churn": "5%",
    "run.fail_fast": "50%/20",
    "run.metrics_file": "llmbatch.prom",
    "run.reports": ["report.html"],
    "run.shard": "2/8",
    "run.if_locked": "skip",
    "run.device_lock": "skip",
}


def affects(field: Any) -> str | None:
    extra = field.json_schema_extra
    return extra.get("affects") if isinstance(extra, dict) else None


def fields(section: type[BaseModel], prefix: str = "") -> dict[str, str | None]:
    """Every field of a section and of those below it, with what it says that it affects."""
    found: dict[str, str | None] = {}
    for name, field in section.model_fields.items():
        place = prefix + (field.alias or name)
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found |= fields(kind, f"{place}.")
            if affects(field) is None:
                found[place] = None
        else:
            found[place] = affects(field)
    return found


def undeclared(section: type[BaseModel]) -> list[str]:
    return [name for name, effect in fields(section).items() if effect not in set(Affects)]


OF_ONE_TASK = ("embed", "classify")
"""Tables that mean something for the task of their name alone."""


def spec(place: str = "", value: Any = None) -> JobSpec:
    table = dict(BASE)
    if place.partition(".")[0] in OF_ONE_TASK:
        table["task"] = place.partition(".")[0]
    if table.get("task") == "classify":
        table["classify"] = {"labels": ["a", "b"]}
    if place and value is not None:
        section, dot, name = place.rpartition(".")
        beside = table.get(section, {}) if section == "classify" else {}
        table[section if dot else place] = beside | {name: value} if dot else value
        if section == "input" and name != "sql":
            table["input"] = {"files": [BASE["input"]]} | table["input"]
    return JobSpec.model_validate(table)


def maker(job: JobSpec, model: dict[str, str] = MODEL) -> KeyMaker:
    return KeyMaker(job, registry.make(job), model)


def key(job: JobSpec, model: dict[str, str] = MODEL) -> str:
    return maker(job, model).key(MESSAGES)


def declared(effect: Affects) -> list[str]:
    return [name for name, found in fields(JobSpec).items() if found == effect]


def test_every_field_declares_what_it_affects() -> None:
    assert undeclared(JobSpec) == []


def test_a_forgotten_declaration_is_noticed() -> None:
    class Inner(BaseModel):
        forgotten: int = 1

    class Outer(BaseModel):
        said: int = answer(1, "declared")
        bare: int = Field(default=1, json_schema_extra={"other": True})
        inner: Inner = answer(Inner(), "a section")

    assert undeclared(Outer) == ["bare", "inner.forgotten"]
    with pytest.raises((AssertionError, KeyError)):
        keys.answer_fields(Inner())
    with pytest.raises((AssertionError, KeyError)):
        keys.answer_fields(Outer())


def test_every_field_has_an_alternative_value_here() -> None:
    assert sorted(ALTERNATIVES) == sorted(fields(JobSpec))


@pytest.mark.parametrize("place", ALTERNATIVES)
def test_an_alternative_is_another_value(place: str) -> None:
    assert spec(place, ALTERNATIVES[place]) != spec()


@pytest.mark.parametrize("place", declared(Affects.ANSWER))
def test_a_change_that_can_change_an_answer_changes_the_key(place: str) -> None:
    assert key(spec(place, ALTERNATIVES[place])) != key(spec(place))


def test_every_part_of_a_job_that_can_change_an_answer_is_in_the_keys_of_some_task() -> None:
    jobs = [spec(), spec("classify.labels", ["a", "b"])]
    made = (make(job) for make in registry.BUILTIN.values() for job in jobs)
    sections = {section for task in made for section in task.sections}
    parts = JobSpec.model_fields
    answering = {name for name in parts if affects(parts[name]) == Affects.ANSWER}
    assert answering == sections | {"task"}  # whose name stands in every key


@pytest.mark.parametrize("place", declared(Affects.NEUTRAL))
def test_a_neutral_change_leaves_the_key(place: str) -> None:
    assert key(spec(place, ALTERNATIVES[place])) == key(spec(place))


def test_the_engines_own_options_are_left_to_its_identity() -> None:
    assert key(spec("engine", {"window": 3})) == key(spec())


PAIR = {"query": "{{ t }}", "document": "about {{ t }}"}


@pytest.mark.parametrize("name", PAIR)
def test_a_template_of_a_pair_acts_through_its_message_only(name: str) -> None:
    def rendered(**other: str) -> tuple[str, str]:
        job = JobSpec.model_validate(BASE | {"task": "score", "score": PAIR | other})
        made, prompt = maker(job), Prompt(None, None, pieces=pieces_of(job))
        return made.base(), made.key(messages_text(prompt.render('{"t": "x"}')))

    base, plain = rendered()
    same_base, changed = rendered(**{name: "of {{ t }}"})
    assert base == same_base
    assert plain != changed


@pytest.mark.parametrize(
    "place",
    [name for name in declared(Affects.RENDERED) if not name.startswith(("score.", "classify."))],
)
def test_a_template_acts_through_its_messages_only(place: str) -> None:
    record = '{"t": "x", "u": 1, "m": [{"role": "user", "content": "y"}]}'
    job = {**BASE, "prompt": "{{ t }}{{ record }}", "system": "Hello"}
    if place == "example_answer":
        job["examples"] = [{"t": "q", "response": "a", "right": "b"}]
    if place in ("examples", "example_answer", "raw"):
        job |= {"prompt": "{{ t }}", "system": None}

    def rendered(table: dict[str, Any]) -> tuple[str, str, str]:
        job = JobSpec.model_validate(table)
        task, made = registry.make(job), maker(job)
        order = () if isinstance(job.record_order, str) else job.record_order
        prompt = job_prompt.make(job, task).for_rows(order)
        with Renderer(prompt, system_as_user=job.template.system_as_user) as renderer:
            (messages,) = renderer.render([record])
        assert isinstance(messages, list)
        digest = keys.plan_digest(job, "rows", made.base(), order)
        return made.base(), digest, made.key(messages_text(messages))

    base, plan, plain = rendered(job)
    section, dot, name = place.rpartition(".")
    value = ALTERNATIVES[place]
    without = {"prompt": None} if place == "messages" else {}
    changed = rendered(job | {section if dot else place: {name: value} if dot else value} | without)
    assert base == changed[0]
    assert plan != changed[1]
    assert plain != changed[2]


def test_templates_that_render_alike_share_a_key() -> None:
    one, two = spec("prompt", "Hi {{ t }}"), spec("prompt", "{{ 'Hi ' ~ t }}")
    texts = [messages_text(Prompt(job.prompt, job.system).render('{"t": 1}')) for job in (one, two)]
    assert maker(one).key(texts[0]) == maker(two).key(texts[1])


@pytest.mark.parametrize(
    "other",
    [
        {**MODEL, "fingerprint": "sha256:01"},
        {**MODEL, "quantization": "fp8"},
        {"name": "tiny"},
    ],
)
def test_another_model_is_another_key(other: dict[str, str]) -> None:
    assert key(spec(), other) != key(spec())


def test_the_order_in_which_an_engine_names_its_model_does_not_matter() -> None:
    assert key(spec(), dict(reversed(MODEL.items()))) == key(spec())


def test_the_order_of_schema_properties_matters() -> None:
    forth = {"properties": {"a": {"type": "string"}, "b": {"type": "string"}}}
    back = {"properties": dict(reversed(forth["properties"].items()))}
    assert key(spec("answer.schema", forth)) != key(spec("answer.schema", back))


@pytest.mark.parametrize(
    ("pattern", "changed"),
    [
        ("[a-z]+", False),
        ("(yes|no)", False),
        (r"\A[0-9]{4}-(?P<m>[0-9]{2})\Z", False),
        (r"\x41\.(?s:.)", False),
        (r"\d{4}", True),
        (r"[\s\S]+", True),
        ("a.c", True),
        ("(?i)yes", True),
        ("(", False),
    ],
)
def test_a_regex_that_python_reads_in_another_way_has_a_mark_in_its_keys(
    pattern: str, changed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = key(spec("answer.regex", pattern))
    monkeypatch.setattr(keys, "_PATTERNS_VERSION", 2)
    assert (key(spec("answer.regex", pattern)) != before) == changed


@pytest.mark.parametrize(
    ("schema", "earlier", "kept"),
    [
        ({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False},
         "aa4e9124c648110cb14a34d56e23fb63", True),
        ({"type": "string", "format": "date"}, "ec4d548d0faee0d685f5c705baa054d5", False),
    ],
)  # fmt: skip
def test_answers_to_a_schema_are_kept_unless_they_may_be_wrong_today(
    schema: Any, earlier: str, kept: bool
) -> None:
    """`earlier`: as it was when no format was checked."""
    table = {"input": "i.csv", "output": "o.jsonl", "model": "m", "prompt": "p"}
    job = JobSpec.model_validate(table | {"answer": {"schema": schema}})
    assert (maker(job, {"model": "m"}).base() == earlier) == kept


def test_a_default_written_out_is_the_default() -> None:
    assert key(spec("sampling", {"temperature": 0, "max_tokens": 512})) == key(spec())


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ([Message("user", "a")], [Message("system", "a")]),
        ([Message("user", "a"), Message("user", "b")], [Message("user", "ab")]),
        ([Message("user", 'a"],["user","b')], [Message("user", "a"), Message("user", "b")]),
        ([Message("user", "é")], [Message("user", "e\u0301")]),
    ],
)
def test_different_messages_never_share_a_key(one: list[Message], two: list[Message]) -> None:
    made = maker(spec())
    assert made.key(messages_text(one)) != made.key(messages_text(two))


@pytest.mark.parametrize(
    "text", ["", 'a "b" \\ /', "\x00\x1f\x7f\n\t", "é 日本 \u2028 🦆", "\ud800"]
)
def test_messages_are_written_as_json(text: str) -> None:
    messages = [Message("system", text), Message("user", "x")]
    assert messages_text(messages) == json_text([["system", text], ["user", "x"]])


def test_samples_have_keys_of_their_own() -> None:
    plain = key(spec())
    assert len({plain, *(keys.repetition_key(plain, number) for number in range(1, 50))}) == 50


def test_messages_that_are_now_sent_as_text_have_another_key() -> None:
    made = maker(spec())
    body = '{"seed":1}'
    found = {made.key(MESSAGES), made.key(MESSAGES, as_text=True), made.key(MESSAGES, body)}
    assert len({*found, made.key(MESSAGES, body, as_text=True)}) == 4


def test_a_plan_is_made_anew_only_for_what_shapes_it() -> None:
    base = maker(spec()).base()
    held = keys.plan_digest(spec(), "rows", base)
    assert keys.plan_digest(spec("run.chunk_size", 9), "rows", base) == held
    assert keys.plan_digest(spec(), "other rows", base) != held
    assert keys.plan_digest(spec("prompt", "{{ u }}"), "rows", base) != held
    assert keys.plan_digest(spec("system", "x"), "rows", base) != held
    assert keys.plan_digest(spec(), "rows", "other base") != held
    assert keys.plan_digest(spec(), "rows", base, ["u", "t"]) != held
    assert keys.plan_digest(spec(), "rows", base, ["u", "t"]) != keys.plan_digest(
        spec(), "rows", base, ["t", "u"]
    )
    assert keys.plan_digest(spec("duplicates", "each"), "rows", base) != held
    known = keys.plan_digest(spec(), "rows", base, None, ["<|im_end|>"])
    assert len({held, known, keys.plan_digest(spec(), "rows", base, None, [])}) == 3
    rejects = spec("control_tokens", "reject")
    assert keys.plan_digest(rejects, "rows", base, None, ["<|im_end|>"]) != known


def test_the_digest_of_a_plan_is_what_it_was() -> None:
    """If this fails, each job is planned anew, which takes time and loses nothing."""
    assert keys.plan_digest(spec(), "rows", "base") == "ce6e944970376dcbcf3b02f8a5a2d706"
    assert keys.plan_digest(spec(), "rows", "base", ()) == "ce6e944970376dcbcf3b02f8a5a2d706"


@pytest.mark.parametrize(("field", "value"), [("require", ["t"]), ("ask_empty", True)])
def test_a_plan_depends_on_which_rows_are_asked(field: str, value: object) -> None:
    assert keys.plan_digest(spec(field, value), "r", "b") != keys.plan_digest(spec(), "r", "b")


def test_the_key_function_is_what_it_was() -> None:
    """If this fails, every stored answer is orphaned: raise `_KEY_VERSION` and say so."""
    plain = key(spec())
    assert plain == "e120a0aa93236087214c993c47a354e2"
    assert keys.repetition_key(plain, 1) == "c263ace60f444ce9435c7c78f6d4a5ff"
