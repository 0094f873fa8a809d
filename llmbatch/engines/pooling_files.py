"""The files of a model that say how numbers are made of its texts.

Those of an embedding model are the ones that sentence-transformers writes: `modules.json` names the
steps, `1_Pooling/config.json` how the vectors of the tokens become one, and others the longest text
and what is put before a text. Only what is held is taken: a step or a way of pooling that an engine
would leave out without a word is refused.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from llmbatch.core.errors import UsageError, nearest
from llmbatch.core.records import Ask
from llmbatch.engines.pooling import Method, Pooling

Read = Callable[[str], bytes | None]

MODULES = "modules.json"
CONFIG = "config.json"
_TOKENIZER = "tokenizer_config.json"
PROMPTS = "config_sentence_transformers.json"
LENGTHS = tuple(
    f"sentence_{kind}_config.json"
    for kind in ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
)
_OURS = "llmbatch's default"
_METHODS: Mapping[str, Method] = {
    "cls": "cls",
    "cls_token": "cls",
    "mean": "mean",
    "mean_tokens": "mean",
    "last": "last",
    "lasttoken": "last",
}
_MODE = "pooling_mode_"
NO_PREFIX = "none"
"""The name of a prompt that is none."""


def vectors(read: Read, config: Mapping[str, Any], ask: Ask) -> Pooling:
    """The way to the vectors of a model with this config.json. `read`: the contents of its other
    files. Raises UsageError where nothing says it, or what is said is not held."""
    modules = _modules(read)
    said: dict[str, str] = {}
    method, width, normalized = _by_modules(modules, read, said)
    method = _method(method, ask, said)
    if modules is None:
        normalized, said["normalized"] = True, _OURS
    if ask.normalize is not None:
        normalized, said["normalized"] = ask.normalize, "--normalize or --no-normalize"
    if width is None:
        width, said["width"] = hidden_size(config), CONFIG
    width = _cut(width, config, ask.dimensions, said)
    lengths, name = _lengths(read)
    max_length = lengths.get("max_seq_length")
    if isinstance(max_length, int):
        said["max_length"] = name
    prefixes = _prefixes(read, modules, ask, said)
    return Pooling(
        "vector" if ask.kind == "embed" else "cosine",
        method,
        normalized,
        width,
        max_length if isinstance(max_length, int) else None,
        prefixes,
        lower_case=bool(lengths.get("do_lower_case")),
        sources=said | ({"output": "of an embedding model"} if ask.kind != "embed" else {}),
    )


def has_vectors(read: Read, ask: Ask) -> bool:
    """True if the files, or the job, say how the model's vectors are made."""
    return read(MODULES) is not None or ask.pooling is not None


def with_length(found: Pooling, config: Mapping[str, Any], read: Read) -> Pooling:
    """The same with the longest text by the model's other files, where none says it for texts.
    Positions may be scaled to more, which only the engine knows then."""
    most = config.get("max_position_embeddings")
    rope = config.get("rope_scaling") or config.get("rope_parameters") or {}
    is_scaled = isinstance(rope, dict) and rope.get("rope_type", "default") != "default"
    if found.max_length is not None or not isinstance(most, int) or is_scaled:
        return found
    source = CONFIG
    if config.get("position_embedding_type") == "absolute":
        given = _table(read(_TOKENIZER), _TOKENIZER).get("model_max_length")
        if isinstance(given, int) and given < most:
            most, source = given, _TOKENIZER
    return replace(found, max_length=most, sources={**found.sources, "max_length": source})


def hidden_size(config: Mapping[str, Any]) -> int | None:
    """The numbers of a token's vector."""
    inner = config.get("text_config")
    found = config.get("hidden_size") or config.get("d_model") or config.get("dim")
    if not isinstance(found, int) and isinstance(inner, Mapping):
        return hidden_size(inner)
    return found if isinstance(found, int) else None


def _table(content: bytes | None, name: str) -> dict[str, Any]:
    try:
        found = orjson.loads(content or b"{}")
    except ValueError as error:
        raise UsageError(f"model: {name} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise UsageError(f"model: {name} holds no JSON object")
    return found


def _modules(read: Read) -> Sequence[Mapping[str, Any]] | None:
    """The steps of the model; None where it has no such file."""
    content = read(MODULES)
    if content is None:
        return None
    try:
        found = orjson.loads(content)
    except ValueError as error:
        raise UsageError(f"model: {MODULES} is not JSON: {error}") from error
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise UsageError(f"model: {MODULES} holds no list of steps")
    return found


def _kind(module: Mapping[str, Any]) -> str:
    return str(module.get("type")).rpartition(".")[2]


def _by_modules(
    modules: Sequence[Mapping[str, Any]] | None, read: Read, said: dict[str, str]
) -> tuple[Method | None, int | None, bool]:
    """The method, the width if a step sets it, and True if the last step normalises."""
    if modules is None:
        return None, None, False
    kinds = [_kind(module) for module in modules]
    steps = kinds[2:-1] if kinds[-1:] == ["Normalize"] else kinds[2:]
    if kinds[:2] != ["Transformer", "Pooling"] or set(steps) - {"Dense"}:
        raise UsageError(
            f"model: {MODULES} has the steps {', '.join(kinds)}; this engine holds Transformer, "
            "Pooling, any number of Dense and, at the end, Normalize"
        )
    said["normalized"] = MODULES
    width = None
    for module in modules[2:]:
        if _kind(module) == "Dense":
            name = f"{module.get('path')}/{CONFIG}"
            width = _table(read(name), name).get("out_features")
            said["width"] = name
    return _pooling_method(modules[1], read, said), width, kinds[-1] == "Normalize"


def _pooling_method(module: Mapping[str, Any], read: Read, said: dict[str, str]) -> Method:
    name = f"{module.get('path')}/{CONFIG}"
    content = read(name)
    if content is None:
        raise UsageError(f"model: {MODULES} names {name}, which is not there")
    table = _table(content, name)
    one = table.get("pooling_mode")
    modes = [key.removeprefix(_MODE) for key, on in table.items() if key.startswith(_MODE) and on]
    modes += [one] if isinstance(one, str) else [*one] if isinstance(one, list) else []
    if len(set(modes)) != 1 or modes[0] not in _METHODS:
        shown = ", ".join(sorted(set(map(str, modes)))) or "none"
        raise UsageError(
            f"model: {name} pools by {shown}; this engine holds one of cls, mean and last"
        )
    said["method"] = name
    return _METHODS[modes[0]]


def _method(by_files: Method | None, ask: Ask, said: dict[str, str]) -> Method:
    """The method of the files or, where they have none, the one of the job."""
    if by_files is None and ask.pooling is None:
        raise UsageError(
            f"the model has no {MODULES}, so nothing says how a vector is made of its tokens: say "
            "it with --pooling last (most decoders), mean or cls"
        )
    if by_files is not None and ask.pooling not in (None, by_files):
        raise UsageError(
            f"--pooling {ask.pooling}: the model's {said['method']} says {by_files}; leave it out"
        )
    if by_files is None:
        said["method"] = "--pooling"
    method = by_files or ask.pooling
    assert method is not None
    return method


def _cut(
    width: int | None, config: Mapping[str, Any], wanted: int | None, said: dict[str, str]
) -> int | None:
    """The width of a vector, of which only the first numbers may be wanted."""
    if wanted is None:
        return width
    declared = config.get("matryoshka_dimensions")
    if not declared and not config.get("is_matryoshka"):
        raise UsageError(
            f"--dimensions {wanted}: the model's {CONFIG} does not say that the first numbers of "
            "its vectors are vectors, too (matryoshka_dimensions or is_matryoshka); if its makers "
            """say so: --engine-arg 'hf_overrides={"is_matryoshka": true}'"""
        )
    if isinstance(declared, list) and wanted not in declared:
        raise UsageError(f"--dimensions {wanted}: the model has {', '.join(map(str, declared))}")
    if width is not None and wanted > width:
        raise UsageError(f"--dimensions {wanted}: the model's vectors have {width} numbers")
    said["width"] = "--dimensions"
    return wanted


def _lengths(read: Read) -> tuple[dict[str, Any], str]:
    """The file with the longest text, as vLLM looks for it, and its name."""
    for name in LENGTHS:
        if table := _table(read(name), name):
            return table, name
    return {}, LENGTHS[0]


def _prefixes(
    read: Read, modules: Sequence[Mapping[str, Any]] | None, ask: Ask, said: dict[str, str]
) -> dict[str, str]:
    """The texts before the texts, by the roles of their messages."""
    table = _table(read(PROMPTS), PROMPTS)
    known = table.get("prompts") or {}
    known = {str(name): str(text) for name, text in known.items()}
    if ask.kind == "embed":
        name = ask.prompt_name or table.get("default_prompt_name")
        if ask.prompt_name not in (None, NO_PREFIX) and name not in known:
            names = ", ".join(sorted(known)) or "none"
            raise UsageError(
                f"--prompt-name {name}: the model's {PROMPTS} has {names}"
                f"{nearest(str(name), known)}"
            )
        chosen = {"text": known.get(str(name), "")}
    else:
        chosen = {role: known.get(role, "") for role in ("query", "document")}
    chosen = {role: text for role, text in chosen.items() if text}
    if chosen:
        said["prefixes"] = PROMPTS
        _require_pooled(read, modules)
    return chosen


def _require_pooled(read: Read, modules: Sequence[Mapping[str, Any]] | None) -> None:
    """Raise UsageError for a model that leaves the prefix out of its vector, which vLLM cannot."""
    if modules is None:
        return
    name = f"{modules[1].get('path')}/{CONFIG}"
    if _table(read(name), name).get("include_prompt") is False:
        raise UsageError(
            f"model: {name} leaves the prefix of a text out of its vector (include_prompt), which "
            f"this engine cannot; --prompt-name {NO_PREFIX} asks without a prefix"
        )
