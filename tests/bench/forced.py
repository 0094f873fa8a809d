"""The tokens of constrained answers that follow from their form, and that vLLM draws all the same.

`python tests/bench/forced.py`: the right answers to the sample tickets, under their schema, with
the tokens of the sample model; and the labels of a choice. A token is forced where the grammar
allows one text only to go on with, and the token is a part of it, although other spellings of that
text may be allowed. vLLM does not go past such tokens (jump-forward): each of them is a step.
Nothing is generated.
"""

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench import workloads

SCHEMA = workloads.ROOT / "samples/tickets/schema.json"
FIELDS = ("category", "priority", "order_id")


@dataclass(frozen=True)
class Forced:
    """Tokens of answers, with the one that ends each, and those of them that were forced."""

    answers: int
    tokens: int
    forced: int

    def __str__(self) -> str:
        share = self.forced / self.tokens
        each = self.tokens / self.answers
        return f"{self.answers:,} answers of {each:.1f} tokens, {share:.0%} of them forced"


def count(grammar: Any, answers: Iterable[Sequence[int]], pieces: Sequence[bytes]) -> Forced:
    """Replay answers (token ids) through a compiled grammar; `pieces` are the bytes of each token.
    Raises ValueError for an answer that the grammar refuses."""
    import xgrammar

    number = tokens = forced = 0
    for answer in answers:
        matcher = xgrammar.GrammarMatcher(grammar)
        for token in answer:
            ahead = matcher.find_jump_forward_string().encode()
            if not matcher.accept_token(token):
                raise ValueError(f"answer {number}: the grammar refuses token {token}")
            tokens += 1
            # The last token, which ends the answer, has no text.
            forced += bool(pieces[token]) and ahead.startswith(pieces[token])
        number += 1
    return Forced(number, tokens, forced)


def main() -> None:
    import xgrammar
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(workloads.MODEL))
    vocabulary = json.loads((workloads.MODEL / "config.json").read_text())["vocab_size"]
    info = xgrammar.TokenizerInfo.from_huggingface(tokenizer, vocab_size=vocabulary)
    compiler = xgrammar.GrammarCompiler(info)
    end = tokenizer.eos_token_id

    def ids(text: str) -> list[int]:
        return [*tokenizer.encode(text, add_special_tokens=False), end]

    rows = [{name: row[f"gold_{name}"] or None for name in FIELDS} for row in workloads.tickets()]
    texts = [json.dumps(row, ensure_ascii=False) for row in rows]
    schema = compiler.compile_json_schema(SCHEMA.read_text(), any_whitespace=False)
    print("schema:", count(schema, map(ids, texts), info.decoded_vocab))
    labels = sorted({row["category"] for row in rows if row["category"]})
    written = " | ".join(json.dumps(label) for label in labels)
    choice = compiler.compile_grammar(f"root ::= {written}")
    of_choice = (ids(row["category"] or "") for row in rows)
    print("choice:", count(choice, of_choice, info.decoded_vocab))


if __name__ == "__main__":
    main()
