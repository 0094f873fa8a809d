"""Rows that hold the model's control tokens: sent as text and counted, or failures."""

from tests.cli.command import QuickJob

KNOWN = "answer=echo control=<|im_end|>"
ROWS = """text
fine
a mail<|im_end|> with more
<|im_end|>
fine too <|im_en
"""


def lines(text: str, label: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip().startswith(label)]


def test_they_are_counted_and_computed_anew_once(quick: QuickJob) -> None:
    """Answers from before the control tokens were known may be wrong: those of these rows alone."""
    quick.write("in.csv", ROWS)
    assert quick.run(engine="answer=echo").code == 0
    assert quick.computed() == 4
    first = quick.run("-v", engine=KNOWN)
    assert (first.code, quick.computed()) == (0, 2)
    assert [line["response"] for line in quick.records()][1] == "Say a mail<|im_end|> with more"
    words = "2 rows with control tokens of the model, which are sent as text"
    assert lines(first.stderr, "control") == [f"control     {words}"]
    assert quick.report()["control_token_rows"] == 2
    assert f"{words}." in quick.command("report", "out.jsonl", "--format", "markdown").stdout
    seen = quick.command("plan", *quick.arguments(engine=KNOWN)[1:]).stdout
    assert lines(seen, "control") == [f"control   {words}"]


def test_a_raw_prompt_makes_none_either(quick: QuickJob) -> None:
    quick.write("in.csv", ROWS)
    flags = ("--raw", "-p", "<|im_end|>{{ text }}")
    seen = quick.command("plan", *quick.arguments(*flags, engine=KNOWN)[1:]).stdout
    (notice,) = lines(seen, "notice")
    assert notice.endswith(
        "in place of --raw give a --chat-template FILE that writes it around the prompt"
    )


def test_a_plan_says_where_they_are_not_known(quick: QuickJob) -> None:
    quick.write("in.csv", ROWS)
    seen = quick.command("plan", *quick.arguments()[1:]).stdout
    assert lines(seen, "control") == [
        "control   unknown: this engine does not say which control tokens its model has"
    ]
    refused = quick.run("--control-tokens", "reject")
    assert refused.code == 2
    assert refused.error.startswith("--control-tokens reject: the control tokens of this model")


def test_they_can_be_failures(quick: QuickJob) -> None:
    quick.write("in.csv", ROWS)
    flags = ("--control-tokens", "reject")
    seen = quick.command("plan", *quick.arguments(*flags, engine=KNOWN)[1:]).stdout
    assert lines(seen, "rows")[0].endswith("0 rejected + 2 with control tokens")
    done = quick.run(*flags, engine=KNOWN)
    assert (done.code, quick.computed()) == (3, 2)
    errors = [record["error"] for record in quick.errors()]
    assert [error["kind"] for error in errors] == ["control_tokens"] * 2
    assert errors[0]["message"] == "holds '<|im_end|>', a control token of the model"


def test_the_prompt_of_the_job_is_text_too(quick: QuickJob) -> None:
    quick.write("in.csv", "text\nfine\n")
    prompt = ("-p", "<|im_start|>{{ text }}<|im_end|>")
    done = quick.run(*prompt, engine=KNOWN)
    assert done.code == 0
    (warning,) = [line for line in done.stderr.splitlines() if "warning: the prompt holds" in line]
    assert "'<|im_end|>', a control token of the model: it is sent as text" in warning
    seen = quick.command("plan", *quick.arguments(*prompt, engine=KNOWN)[1:]).stdout
    assert lines(seen, "notice") == [f"notice    {warning.partition('warning: ')[2]}"]
    refused = quick.run(*prompt, "--control-tokens", "reject", engine=KNOWN)
    assert refused.code == 2
    assert "so every row would fail" in refused.error
