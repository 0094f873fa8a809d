"""The job as its user declares it."""

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import PrivateAttr, field_validator, model_validator

from llmbatch.batch_files.lines import FORMAT as BATCH
from llmbatch.core.option_name import plain_name
from llmbatch.job import batch, fields, stage
from llmbatch.job.batch import BatchSpec
from llmbatch.job.checks import CheckRules
from llmbatch.job.classify import ClassifySpec
from llmbatch.job.cost import CostSpec
from llmbatch.job.embed import EmbedSpec
from llmbatch.job.engine import EngineSpec
from llmbatch.job.examples import Examples
from llmbatch.job.fields import Section, answer, neutral, rendered
from llmbatch.job.gold_set import GoldSetSpec
from llmbatch.job.input import InputSpec, with_input_table
from llmbatch.job.run_settings import RunSpec
from llmbatch.job.sampling import AnswerSpec, SamplingSpec
from llmbatch.job.score import ScoreSpec
from llmbatch.job.signs import SignsSpec
from llmbatch.job.stage import StageSpec
from llmbatch.job.template import TemplateSpec


class JobSpec(Section):
    """One job: input, prompt, model, parameters, output."""

    id_column: str | None = neutral(None, "Column that names a row; must be unique.")
    output: str = neutral(
        ...,
        "Output file: .jsonl, .csv, .tsv, .parquet, .xlsx, .duckdb or, of vectors, .npy; - is "
        "standard output and needs --state.",
        min_length=1,
    )
    output_format: (
        Literal["jsonl", "csv", "tsv", "parquet", "xlsx", "duckdb", "npy", "openai-batch"] | None
    ) = neutral(
        None,
        "Format of the output, if its name does not say; openai-batch: the requests are written to "
        "it, to be answered elsewhere, and nothing is computed.",
        by_default="jsonl for standard output",
    )
    table: str = neutral(
        "answers", "Table of a .duckdb output; only this one is replaced.", min_length=1
    )
    columns: tuple[str, ...] = neutral(
        (), "Columns of the output, in this order: a,b,response.", by_default="all"
    )
    excel: bool = neutral(
        False,
        "Write CSV as Excel reads it: with a byte order mark, and an apostrophe before what it "
        "would take for a formula.",
    )
    overwrite: bool = neutral(False, "Replace files of these names that llmbatch has not written.")
    state: str | None = neutral(
        None, "State folder.", by_default="OUTPUT with the suffix .llmbatch"
    )
    response_column: str = neutral("response", "Column of the answer.", min_length=1)
    meta: bool = neutral(
        False,
        "Add finish reason, attempts, tokens, request, run and made_by to the output. Where the "
        "input has a column of such a name, it is called response_NAME.",
    )
    model: str = neutral(..., "Folder or name of the model.")  # its identity is in the key
    # Each request's key has the identity of its own stage's model.
    stages: tuple[StageSpec, ...] = neutral(
        (), "Models of a cascade, in place of `model`: [[model]] in the job file."
    )
    all_stages: bool = neutral(
        False, "Ask every model of a cascade for every row, to choose a threshold by them."
    )
    task: Literal["generate", "classify", "embed", "score"] = answer(
        "generate",
        "What is asked for each row: a text, one of some labels, the vector of a text, or how well "
        "two texts fit.",
        in_key_by_default=False,
    )
    prompt: str | None = rendered(
        ...,
        "Jinja2 template of the user message; columns are variables. @FILE reads it.",
        min_length=1,
    )
    system: str | None = rendered(None, "Jinja2 template of the system message. @FILE reads it.")
    examples: Examples | None = rendered(
        None,
        "Rows with an answer (a file), shown before each row as turns of the chat.",
    )
    example_answer: str | None = rendered(
        None, "Column of the answers in the examples.", by_default="the response column"
    )
    messages: str | None = rendered(
        None,
        "Column in which a row brings its own messages, in place of a prompt: a list of role and "
        "content, as OpenAI's.",
        min_length=1,
    )
    prefill: str | None = rendered(
        None,
        "Jinja2 template of the beginning of each answer, with which the model goes on. @FILE "
        "reads it.",
        min_length=1,
    )
    raw: bool = rendered(
        False, "Send the prompt as it is, without a chat template: for base models."
    )
    constant_prompt: bool = neutral(
        False, "Allow a prompt that uses no column: all rows ask the same."
    )
    require: tuple[str, ...] = neutral(
        (),
        "Column, or key in one (meta.team), without which a row is skipped: not asked, if it is "
        "null, missing, blank, or an empty list or object.",
    )
    ask_empty: bool = neutral(
        False, "Ask also for rows of which all placeholders are empty; else they are skipped."
    )
    keep: tuple[Literal["failed", "skipped", "rejected"], ...] = neutral(
        (),
        "Rows to write to the output beside the answered ones, without an answer: "
        "failed,skipped,rejected. With failed or rejected ones a column error says why.",
    )
    record_order: Literal["auto", "input"] | tuple[str, ...] = rendered(
        "auto", "Order of the fields of {{ record }}: auto, input, or columns a,b,c."
    )
    # A copy that is computed by itself has a sample number of its own in its key.
    duplicates: Literal["auto", "once", "each"] = neutral(
        "auto",
        "Compute equal requests once or each.",
        by_default="each if drawn without a seed, else once",
    )
    # The key of a row that holds some says that they are sent as text.
    control_tokens: Literal["text", "reject"] = neutral(
        "text", "Rows that hold the model's control tokens (<|im_end|>): send as text, or reject."
    )
    # The digest of a row's adapter is in its key.
    adapter: str | None = neutral(
        None,
        "LoRA adapter for all rows: a name of [adapters], or a folder (other content: anew).",
        min_length=1,
    )
    adapter_column: str | None = neutral(
        None,
        "Column that names the adapter of a row; where it is empty, that of --adapter, or none.",
        min_length=1,
    )
    adapters: dict[str, str] = neutral(
        {}, "A LoRA adapter by name and folder (other content: anew)."
    )
    # Answers that break a changed rule are found by `pipeline/run/recheck`.
    check: CheckRules = neutral(
        (),
        "Rule that each answer is held to, NAME: SQL; one that breaks it is tried again. In a job "
        "file tables [[check]] with name, rule, on_fail (retry, fail or flag) and message.",
        by_default="none",
    )
    input: InputSpec = neutral(..., "The input, and how it is read")
    sampling: SamplingSpec = answer(SamplingSpec(), "How tokens are drawn")
    answer: AnswerSpec = answer(AnswerSpec(), "The form of an answer, at most one of these")
    classify: ClassifySpec = fields.answer(
        ClassifySpec(), "The labels of `--task classify`, of a model without a head for them"
    )
    score: ScoreSpec = fields.answer(ScoreSpec(), "The pairs of `--task score`, and the best ones")
    embed: EmbedSpec = fields.answer(EmbedSpec(), "The vectors of `--task embed`")
    template: TemplateSpec = fields.answer(TemplateSpec(), "The chat template")
    batch: BatchSpec = neutral(BatchSpec(), "OpenAI batch files")
    engine: EngineSpec = neutral(
        EngineSpec(), "The engine and its options"
    )  # it names what is in the key
    signs: SignsSpec = neutral(SignsSpec(), "Warning signs in the answers: heuristics")
    cost: CostSpec = neutral(CostSpec(), "The cost of the work, and its attribution")
    eval: GoldSetSpec = neutral(
        GoldSetSpec(), "Rows whose right answer is known: run first, and what they have to reach"
    )
    run: RunSpec = neutral(RunSpec(), "Checkpoints, retries and reasons to stop")

    _template_files: Mapping[str, str] = PrivateAttr(default_factory=dict)

    _longest_of_lines: int | None = PrivateAttr(default=None)

    @property
    def template_files(self) -> Mapping[str, str]:
        """The names of the files that hold the `prompt`, the `system` prompt, the `prefill` and the
        `examples`, if they do."""
        return self._template_files

    def with_template_files(self, files: Mapping[str, str]) -> Self:
        """The same job, whose templates were read from these files."""
        self._template_files = files
        return self

    def with_longest_answer(self, tokens: int) -> None:
        """Note the longest answer that a line of a batch file asks for."""
        self._longest_of_lines = tokens

    @property
    def is_batch(self) -> bool:
        """True if a row is a line of a batch file, with all that is asked for it."""
        return self.input.format == BATCH

    @property
    def needs_prompt(self) -> bool:
        """True if the messages of a row are made by the templates `prompt` and `system`."""
        return self.prompt is not None and self.messages is None

    @property
    def longest_answer(self) -> int:
        """The most tokens of an answer at the first try; 0 for a task that makes none, and at least
        one for that of a label, which is measured where one would begin."""
        if self.by_head:
            return 0
        if self.is_batch and self._longest_of_lines is not None:
            return self._longest_of_lines
        return {"generate": self.sampling.max_tokens, "classify": 1}.get(self.task, 0)

    @property
    def by_head(self) -> bool:
        """True if texts are classified by the model's own classification head, whose labels they
        get: the job names none."""
        return self.task == "classify" and not self.classify.labels

    @property
    def devices(self) -> int:
        """The number of devices that are paid: as the job says, or else the engine's options."""
        return self.cost.devices or self.engine.devices

    @property
    def gold(self) -> str | None:
        """The column or file of the right answers, if they are known."""
        return self.eval.gold or self.classify.gold

    @property
    def reasons(self) -> bool:
        """True if answers may come with what the model thought before them."""
        wanted = self.template.thinking not in (None, "off")
        return wanted or "reasoning_parser" in map(plain_name, self.engine.options)

    @model_validator(mode="before")
    @classmethod
    def _input_table(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        return _with_prompt(batch.with_defaults(stage.with_stages(with_input_table(value))))

    @field_validator("columns", "keep", mode="before")
    @classmethod
    def _list(cls, value: Any) -> Any:
        """`a,b,c` as the flag has it; a name with a comma can stand in a list."""
        if isinstance(value, str):
            value = [name.strip() for name in value.split(",") if name.strip()]
        if isinstance(value, list | tuple) and len(set(map(str, value))) < len(value):
            raise ValueError("names one twice")
        return () if value is None else value  # as earlier versions wrote it

    @field_validator("record_order", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        """`a,b,c` as the flag has it; a name with a comma can stand in a list."""
        if isinstance(value, str) and value not in ("auto", "input"):
            value = [name.strip() for name in value.split(",")]
        if not isinstance(value, str | list | tuple) or not all(
            isinstance(name, str) and name for name in value
        ):
            raise ValueError("auto, input, or names of columns (a,b,c)")
        if len(set(value)) < len(value) and not isinstance(value, str):
            raise ValueError("names a column twice")
        return value


def _with_prompt(table: Mapping[str, Any]) -> Mapping[str, Any]:
    """A table without a prompt where none is needed: a row has its messages from elsewhere."""
    is_needed = table.get("task") != "score" and table.get("messages") is None
    return table if is_needed or "prompt" in table else {**table, "prompt": None}
