#!/usr/bin/env bash
# transformers: `apply_chat_template(..., continue_final_message=True)` gives the beginning of an answer to
# the model without its last white space, if the chat template trims contents (as Llama 3's does), and
# without the first in any such template. Nothing is said of it.
#
# One expects the prompt to end with the message that is to be continued: the answer is joined to that
# message, and `{"a": ` with `1` after it is not what the model went on from. Whoever joins the two has to
# render a mark in the place of the beginning, and to put the beginning there as it is.
#
# Seen with transformers 5.19.0, Python 3.11 (template, beginning, end of the prompt):
#   keeps  '{"a": '      'assistant: {"a": '
#   trims  '{"a": '      'assistant: {"a":'
#   keeps  '\n- one\n-'  'assistant: \n- one\n-'
#   trims  '\n- one\n-'  'assistant: - one\n-'
#   trims  'Answer:\n'   'assistant: Answer:'
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check transformers==5.19.0 jinja2
"$folder/env/bin/python" - >"$folder/seen" 2>/dev/null <<'PYTHON'
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

EACH = "{% for m in messages %}{{ m.role }}: {{ m.content }}</s>{% endfor %}"
TEMPLATES = {"keeps": EACH, "trims": EACH.replace("m.content", "m.content | trim")}
CASES = [
    ("keeps", '{"a": '),
    ("trims", '{"a": '),
    ("keeps", "\n- one\n-"),
    ("trims", "\n- one\n-"),
    ("trims", "Answer:\n"),
]
tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE({"a": 0}, [])))
for name, beginning in CASES:
    chat = [{"role": "user", "content": "x"}, {"role": "assistant", "content": beginning}]
    prompt = tokenizer.apply_chat_template(
        chat, chat_template=TEMPLATES[name], tokenize=False, continue_final_message=True
    )
    end = prompt.partition("</s>")[2]
    print(f"{name}  {beginning!r:12}  {end!r}")
PYTHON
cat "$folder/seen"
sed -n '/^# Seen/,/^set/s/^#   //p' "$0" | diff - "$folder/seen"
