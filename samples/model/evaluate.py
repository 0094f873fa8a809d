"""Asks the model for every held-out ticket in real vLLM and prints how many answers are right.

    python samples/model/evaluate.py [FOLDER]

Greedy decoding in bfloat16; extraction also with structured output. It needs vLLM installed and
takes a minute or two on a CPU. The figures in README.md come from here.
"""

from __future__ import annotations

import json
import os
import random
import sys
from collections import Counter
from pathlib import Path
from statistics import mean
from typing import Any

HERE = Path(__file__).resolve().parent
TICKETS = HERE.parent / "tickets"
sys.path.append(str(TICKETS))

import generate  # noqa: E402
import tasks  # noqa: E402

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")

EXTRACT = "Extract category, priority and order id as JSON."
CLASSIFY = "Classify the ticket: "
PRIORITY = "What is the priority of the ticket: "
REPLY = "Write a short reply to the customer: "


def user(prefix: str) -> list[list[tasks.Message]]:
    """One conversation per held-out ticket, the instruction before the text."""
    tickets = generate.held_out_tickets()
    return [[{"role": "user", "content": prefix + ticket.text}] for ticket in tickets]


def with_system(instruction: str) -> list[list[tasks.Message]]:
    return [[{"role": "system", "content": instruction}, *chat] for chat in user("")]


def runs() -> list[tuple[str, list[list[tasks.Message]], str, bool]]:
    """Name, conversations, the task whose answer is right, and whether output is structured."""
    return [
        ("extraction", user(f"{EXTRACT}\n\n"), "extraction", False),
        ("extraction, structured", user(f"{EXTRACT}\n\n"), "extraction", True),
        ("extraction, in the system message", with_system(EXTRACT), "extraction", False),
        ("category", user(CLASSIFY), "category", False),
        ("category, in the system message", with_system("Classify the ticket."), "category", False),
        ("priority", user(PRIORITY), "priority", False),
        ("order id", user("What is the order id: "), "order", False),
        ("customer's name", user("What is the customer's name: "), "name", False),
        ("reply", user(REPLY), "reply", False),
    ]


def right(answer: str, task: str, ticket: generate.Ticket) -> bool:
    """Exactly the answer of the task; a reply has two wordings, so compare without its thanks."""
    gold = tasks.TASKS[task].answer(ticket, random.Random(0))
    if task == "extraction":
        try:
            return bool(json.loads(answer) == json.loads(gold))
        except ValueError:
            return False
    for word in ("thanks", "thank you"):
        answer, gold = (text.lower().replace(word, "thank") for text in (answer, gold))
    return answer == gold


def main() -> None:
    from vllm import LLM, SamplingParams
    from vllm.sampling_params import StructuredOutputsParams

    folder = sys.argv[1] if len(sys.argv) > 1 else str(HERE)
    llm = LLM(folder, dtype="bfloat16", max_model_len=512, enforce_eager=True, block_size=32)
    schema = json.loads((TICKETS / "schema.json").read_text())
    plain = SamplingParams(temperature=0, max_tokens=128)
    held = SamplingParams(
        temperature=0, max_tokens=128, structured_outputs=StructuredOutputsParams(json=schema)
    )
    tickets = generate.held_out_tickets()
    for name, chats, task, structured in runs():
        outputs: list[Any] = llm.chat(chats, held if structured else plain, use_tqdm=False)
        answers = [output.outputs[0] for output in outputs]
        pairs = list(zip(answers, tickets, strict=True))
        wrong = [(a.text, t) for a, t in pairs if not right(a.text, task, t)]
        print(
            f"{name:<34} {100 * (1 - len(wrong) / len(tickets)):6.2f} %  "
            f"prompt {mean(len(o.prompt_token_ids) for o in outputs):.1f} "
            f"output {mean(len(a.token_ids) for a in answers):.1f} tokens "
            f"({min(len(a.token_ids) for a in answers)}-"
            f"{max(len(a.token_ids) for a in answers)}) "
            f"{dict(Counter(a.finish_reason for a in answers))}",
            flush=True,
        )
        for text, ticket in wrong[: int(os.environ.get("SHOW_WRONG", "0"))]:
            print(f"    {text!r}\n    for {ticket}")


if __name__ == "__main__":
    main()
