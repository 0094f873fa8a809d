"""Labels in templates, and in the system prompt where no template names them."""

from typing import Any

import pytest

from llmbatch.job.spec import JobSpec
from llmbatch.pipeline.prompts.keys import plan_digest
from llmbatch.pipeline.prompts.needs import EmptyRowError, Needs
from llmbatch.pipeline.prompts.pieces import pieces_of
from llmbatch.pipeline.prompts.template import Prompt

LABELS = {"billing": 'Money, "cash" or 100%} {{ x }} \\n', "refund": ""}
LISTED = '- billing: Money, "cash" or 100%} {{ x }} \\n\n- refund'


def spec(prompt: str, system: str | None = None, **classify: Any) -> JobSpec:
    table: dict[str, Any] = {"input": "i.csv", "output": "o.csv", "model": "m", "task": "classify"}
    more = {"prompt": prompt} | ({} if system is None else {"system": system})
    return JobSpec.model_validate(table | more | {"classify": {"labels": LABELS} | classify})


def prompt(job: JobSpec) -> Prompt:
    return Prompt(job.prompt, job.system, needs=Needs.of(job), pieces=pieces_of(job))


def rendered(job: JobSpec, row: str = '{"t": "Hi"}') -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in prompt(job).render(row)]


def test_a_system_prompt_lists_the_labels_that_no_template_names() -> None:
    (role, text), user = rendered(spec("{{ t }}"))
    assert (role, user) == ("system", ("user", "Hi"))
    assert text.startswith("Answer with one of these labels")
    assert text.endswith(f":\n{LISTED}")
    with_own = rendered(spec("{{ t }}", "Be {{ t }}.\n"))[0][1]
    assert with_own == f"Be Hi.\n\n{text}"


@pytest.mark.parametrize("classify", [{"list_labels": False}, {"labels": ["billing", "refund"]}])
def test_labels_are_not_listed_where_they_stand_already_or_are_not_wanted(
    classify: dict[str, Any],
) -> None:
    own = "{{ t }}" if classify.get("list_labels") is False else "{{ labels }} {{ t }}"
    assert [role for role, _ in rendered(spec(own, **classify))] == ["user"]


def test_a_placeholder_writes_labels_with_descriptions() -> None:
    assert rendered(spec("One of:\n{{- labels }}\n{{ t }}")) == [
        ("user", f"One of:{LISTED}\nHi"),
    ]


def test_a_loop_and_a_filter_take_them_apart() -> None:
    loop = "{% for l in labels %}<{{ l.name }}|{{ l.description }}>{% endfor %}{{ t }}"
    ((_, text),) = rendered(spec(loop))
    assert text == f"<billing|{LABELS['billing']}><refund|>Hi"
    names = "{{ labels | map(attribute='name') | join(', ') }}: {{ t }}"
    assert rendered(spec(names)) == [("user", "billing, refund: Hi")]


@pytest.mark.parametrize(
    "own",
    ["{{ t }}", "{{ labels }}{{ t }}", "{% for l in labels %}{{ l.name }}{% endfor %}{{ t }}"],
)
def test_labels_say_nothing_of_a_row(own: str) -> None:
    with pytest.raises(EmptyRowError):
        rendered(spec(own), '{"t": ""}')


def test_a_change_of_a_description_is_another_plan() -> None:
    def digest(**classify: Any) -> str:
        return plan_digest(spec("{{ t }}", **classify), "rows", "base")

    digests = {digest(), digest(descriptions={"refund": "back"}), digest(list_labels=False)}
    assert len(digests) == 3
