"""The tasks that the demonstration model learns: instructions in many wordings, and answers.

Every example is a chat: perhaps a system message, a user message, and the assistant's answer.
Wordings are composed from parts, so that the model learns to read for the key words and a job
may word its prompt freely. The `RECOMMENDED` wordings are seen more often than others.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import NamedTuple

from generate import Ticket

Message = dict[str, str]


class Example(NamedTuple):
    """A conversation up to the answer, and the answer."""

    messages: list[Message]
    answer: str


class Task(NamedTuple):
    """How often a task is drawn, how it may be asked, and what is right."""

    weight: float
    recommended: str
    wording: Callable[[random.Random], str]
    answer: Callable[[Ticket, random.Random], str]


def record_json(ticket: Ticket) -> str:
    """The three labels as compact JSON, in the order of the sample's schema."""
    record = {
        "category": ticket.category,
        "priority": ticket.priority,
        "order_id": ticket.order_id,
    }
    return json.dumps(record, separators=(",", ":"))


def _extraction_wording(rng: random.Random) -> str:
    verb = rng.choice(("Extract", "Get", "Return", "Find", "Give me", "List", "Read out", "Output"))
    joined = rng.choice(
        (
            "category, priority and order id", "the category, the priority and the order id",
            "category, priority, order_id", "the category, priority and order number",
            "the fields category, priority and order_id", "category, priority and order ID",
        )
    )  # fmt: skip
    of = rng.choice(("", "", " of the ticket", " from the ticket", " from this message"))
    form = rng.choice(
        (" as JSON", " as JSON", " as a JSON object", " in JSON", " as one JSON record")
    )
    more = rng.choice(
        ("", "", "", " Answer with JSON only.", " Use null when there is no order id.")
    )
    return f"{verb} {joined}{of}{form}.{more}"


def _category_wording(rng: random.Random) -> str:
    return rng.choice(
        (
            "Classify the ticket", "Classify", "Classify this ticket", "Classify the message",
            "Which category is it", "Category", "What is the category of this ticket",
            "Name the category of the ticket", "Sort the ticket into a category",
            "Give the category only", "Choose the category", "Ticket category",
            "Classify the ticket as billing, refund, shipping, account, technical, cancellation"
            " or product",
        )
    )  # fmt: skip


def _priority_wording(rng: random.Random) -> str:
    return rng.choice(
        (
            "What is the priority of the ticket", "Priority", "Give the priority only",
            "Rate the priority of this ticket", "Which priority does the ticket have",
            "Choose the priority", "Name the priority of the ticket", "Ticket priority",
            "How urgent is it? Answer low, normal, high or urgent",
            "Choose a priority: low, normal, high or urgent",
        )
    )  # fmt: skip


def _order_wording(rng: random.Random) -> str:
    return rng.choice(
        (
            "What is the order id", "Order id", "Give the order id only", "Find the order number",
            "Extract the order id", "Which order is it about", "Copy the order id",
            "Return the order id or none",
        )
    )  # fmt: skip


def _name_wording(rng: random.Random) -> str:
    return rng.choice(
        (
            "What is the customer's name", "Customer name", "Who wrote this",
            "Extract the name of the customer", "Give the customer's name only",
        )
    )  # fmt: skip


def _reply_wording(rng: random.Random) -> str:
    return rng.choice(
        (
            "Write a short reply to the customer", "Write a reply", "Reply to the customer",
            "Answer the customer", "Draft a short reply to this ticket", "Draft an answer",
            "Write a friendly answer to the customer",
        )
    )  # fmt: skip


HELP = {
    "billing": "check the invoice and correct the amount",
    "refund": "check the return and send the money back to your card",
    "shipping": "ask the courier where the parcel is and send you the answer",
    "account": "check your account and send you a new login link",
    "technical": "look at the error with our technical team and send you the steps to fix it",
    "cancellation": "cancel it and confirm the cancellation in writing",
    "product": "check the details with our product team and send you a picture",
}
SPEED = {"low": "this week", "normal": "tomorrow", "high": "by tomorrow", "urgent": "today"}


def reply(ticket: Ticket, rng: random.Random) -> str:
    """A reply whose length follows the priority: one short sentence up to a full message."""
    name = f" {ticket.customer}" if ticket.signed else ""
    topic = f"your {ticket.category} question"
    thanks = rng.choice(("Thank you", "Thank you", "Thanks"))
    if ticket.priority == "low":
        return f"{thanks}{name}, we will answer {SPEED['low']}."
    parts = [f"Hello{name}, {thanks.lower()} for {topic}."]
    if ticket.priority != "normal":
        parts.append("We are very sorry for the trouble.")
    parts.append(f"We will {HELP[ticket.category]} {SPEED[ticket.priority]}.")
    if ticket.priority == "urgent":
        about = f"order {ticket.order_id}" if ticket.order_id else "your case"
        parts.append(f"Your message about {about} is now first in line and a colleague reads it.")
        parts.append("Please answer this mail if anything is missing, we are here all day.")
    parts.append("Kind regards, your support team")
    return " ".join(parts)


TASKS: dict[str, Task] = {
    "extraction": Task(
        0.52,
        "Extract category, priority and order id as JSON.",
        _extraction_wording,
        lambda ticket, _: record_json(ticket),
    ),
    "category": Task(
        0.13, "Classify the ticket", _category_wording, lambda ticket, _: ticket.category
    ),
    "priority": Task(
        0.1,
        "What is the priority of the ticket",
        _priority_wording,
        lambda ticket, _: ticket.priority,
    ),
    "order": Task(
        0.07, "What is the order id", _order_wording, lambda ticket, _: ticket.order_id or "none"
    ),
    "name": Task(
        0.05,
        "What is the customer's name",
        _name_wording,
        lambda ticket, _: ticket.customer if ticket.signed else "unknown",
    ),
    "reply": Task(0.13, "Write a short reply to the customer", _reply_wording, reply),
}

SYSTEM = (
    "You are a helpful assistant.", "You are a support agent.", "You read support tickets.",
    "You work for an online shop. Answer briefly.", "You sort customer tickets. Be exact.",
)  # fmt: skip
# Long system messages are common in real jobs; the model must find the ticket behind one.
POLICY = (
    "We sell goods for home, office and sport.", "Orders are shipped within two days.",
    "Refunds are paid within ten days after the return.", "Be polite and short.",
    "Our shop is open from Monday to Friday.", "Never invent an order id.",
    "A ticket belongs to one category.", "The categories are billing, refund, shipping, account,"
    " technical, cancellation and product.", "The priority is low, normal, high or urgent.",
    "Customers write in English.", "Do not explain the answer.", "Answer with the label only.",
)  # fmt: skip


def present(ticket: Ticket, rng: random.Random) -> str:
    """The ticket as it stands in a prompt: mostly bare, sometimes as a JSON record."""
    if rng.random() < 0.9:
        return ticket.text
    fields: list[tuple[str, str]] = [("text", ticket.text)]
    if rng.random() < 0.6:
        fields.append(("customer", ticket.customer if ticket.signed else "unknown"))
    if rng.random() < 0.6:
        fields.append(("id", f"{rng.randrange(1, 3000):06}"))
    if rng.random() < 0.6:
        fields.append(("team", rng.choice(("retail", "business", "marketplace", "partners"))))
    rng.shuffle(fields)
    separators = rng.choice(((",", ":"), (", ", ": ")))
    return json.dumps(dict(fields), ensure_ascii=False, separators=separators)


def chat(instruction: str, text: str, rng: random.Random) -> list[Message]:
    """The instruction in the user message or, one time in four, as the system message."""
    if rng.random() < 0.25:
        end = "" if instruction.endswith(".") or rng.random() < 0.3 else rng.choice((".", ":"))
        return [_system(instruction + end), {"role": "user", "content": text}]
    if instruction.endswith("."):
        joint = rng.choice(("\n\n", "\n\n", "\n", " ", "\n\nTicket:\n", "\n\nTicket: "))
    else:
        joint = rng.choice((": ", ": ", ":\n", ":\n\n", ".\n\n", "?\n\n", "? ", "\n\n", ". "))
    messages = [{"role": "user", "content": instruction + joint + text}]
    if rng.random() < 0.3:
        policy = rng.sample(POLICY, rng.randrange(0, 5)) if rng.random() < 0.4 else []
        messages.insert(0, _system(" ".join([rng.choice(SYSTEM), *policy])))
    return messages


def _system(content: str) -> Message:
    return {"role": "system", "content": content}


def examples(tickets: Iterator[Ticket], rng: random.Random) -> Iterator[Example]:
    """An endless stream of training examples over the given tickets."""
    names = list(TASKS)
    weights = [TASKS[name].weight for name in names]
    for ticket in tickets:
        task = TASKS[rng.choices(names, weights)[0]]
        wording = task.recommended if rng.random() < 0.25 else task.wording(rng)
        yield Example(chat(wording, present(ticket, rng), rng), task.answer(ticket, rng))
