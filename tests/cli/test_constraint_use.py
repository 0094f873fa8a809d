"""The holding of answers to their form, as `plan`, `run` and the report say it."""

import json

from tests.cli.command import QuickJob

ENGINE = "backend=xgrammar+uniqueItems"
HELD = "held by xgrammar, but only the check holds uniqueItems at $"
CHOICES = ("--choice", "a", "--choice", "b")


def test_plan_says_what_holds_the_answers(quick: QuickJob) -> None:
    quick.write("in.csv", "text\nx\n")
    arguments = quick.arguments(*CHOICES, engine=ENGINE)[1:]
    assert f"form      {HELD}\n" in quick.command("plan", *arguments).stdout
    seen = json.loads(quick.command("plan", *arguments, "--format", "json").stdout)
    assert seen["constraint"] == {"backend": "xgrammar", "check_only": ["uniqueItems at $"]}


def test_a_run_and_its_reports_say_it(quick: QuickJob) -> None:
    quick.write("in.csv", "text\nx\n")
    forms = ("r.txt", "r.json", "r.md", "r.html")
    reports = [part for name in forms for part in ("--report", name)]
    done = quick.run(*CHOICES, *reports, engine=ENGINE)
    assert f"llmbatch: constraint: {HELD}\n" in done.stderr
    for name in forms:
        assert "uniqueItems at" in (quick.folder / name).read_text(), name
    assert HELD in (quick.folder / "r.txt").read_text()


def test_an_engine_that_does_not_say_is_not_reported(quick: QuickJob) -> None:
    quick.write("in.csv", "text\nx\n")
    done = quick.run(*CHOICES)
    assert "constraint:" not in done.stderr
    assert quick.report()["constraint"] is None


def test_without_a_grammar_answers_are_only_checked(quick: QuickJob) -> None:
    quick.write("in.csv", "text\na\nx\n")
    flags = ["--choice", "a", "--constrain", "check", "--prompt", "{{ text }}"]
    done = quick.run(*flags, engine="answer=echo")
    assert "only checked: the engine gets no grammar" in done.stderr
    # Under a grammar the scripted engine keeps to it.
    assert [record["response"] for record in quick.records()] == ["a"]
    assert [error["error"]["kind"] for error in quick.errors()] == ["invalid_output"]
    assert quick.report()["constraint"] == {"backend": "", "check_only": []}
    assert quick.run("--choice", "a", "--prompt", "{{ text }}", engine="answer=echo").code == 0
